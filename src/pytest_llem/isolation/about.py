"""Prints as JSON what the interpreter that runs this text has, for pytest-llem elsewhere.

Its text is handed to interpreters that may be old (3.7) or bare: plain syntax, and
the standard library alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import platform
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NEEDED = ("pytest", "pydantic", "pytest_llem.plugin")


def about(modules: list[str]) -> dict[str, Any]:
    """Versions, packages, plugins, engines, which of *modules* are absent, what is wrong."""
    found: dict[str, Any] = {
        "python": "%s %s" % (platform.python_implementation(), platform.python_version()),  # noqa: UP031
        "supported": sys.version_info >= (3, 11),
        "executable": sys.executable,
        "packages": {},
        "plugins": {},
        "engines": [],
        "absent": [],
        "version": None,
        "problem": None,
        "os": None,
    }
    if not found["supported"]:
        return found
    from importlib import metadata

    for dist in metadata.distributions():
        name = dist.metadata["Name"]
        if name and name not in found["packages"]:
            found["packages"][name] = dist.version
            for entry in dist.entry_points:
                if entry.group == "pytest11":
                    found["plugins"].setdefault(name, []).append([entry.name, entry.value])
    with contextlib.suppress(OSError):
        found["os"] = platform.freedesktop_os_release().get("PRETTY_NAME")
    try:
        from pytest_llem._version import __version__

        found["version"] = __version__
        for module in NEEDED:
            importlib.import_module(module)
        from pytest_llem.engines import ENGINES

        found["engines"] = ENGINES.names()
        found["absent"] = [name for name in modules if importlib.util.find_spec(name) is None]
    except ImportError as error:
        found["problem"] = "%s: %s" % (type(error).__name__, error)  # noqa: UP031
        found["missing"] = error.name
    return found


if __name__ == "__main__":
    print("\n" + json.dumps(about(sys.argv[1:])))  # noqa: T201
