"""The environment's layer: ``LLEM_BATCH_SIZE=8``, ``LLEM_VLLM__MAX_NUM_SEQS=64``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.layers.assignment import leaves_of_text
from pytest_llem.config.layers.fields import located, refuse
from pytest_llem.config.layers.layer import Given, Origin
from pytest_llem.config.leaves import FIELDS, is_section, options_of, unknown_path
from pytest_llem.config.problems import Problem, nearest, shown_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_llem.config.leaves import Leaf

PREFIX = "LLEM_"
PROFILE_VARIABLE = "LLEM_PROFILE"
RESERVED: Mapping[str, str] = {
    PROFILE_VARIABLE: "system profile, as --llem-profile",
    "LLEM_CACHE_DIR": "where built-in models are kept",
    "LLEM_COMPONENTS_ALLOW": "third parties' components that may be used",
    "LLEM_COMPONENTS_DENY": "components that may not",
    "LLEM_LOCK_DIR": "where devices are locked",
    "LLEM_POWERCAP": "where the kernel's powercap files are",
    "LLEM_TENSORRT_LLM_ENGINES": "where compiled TensorRT-LLM engines are kept",
    "LLEM_CHANNEL_FD": "told to children",
    "LLEM_CHANNEL_SOCKET": "told to children in containers",
    "LLEM_CHILD_POINT": "told to children",
    "LLEM_CONTAINER_TERMINAL": "told to containers",
    "LLEM_EXPERIMENT": "marks the processes of an experiment",
    "LLEM_HOST_FD": "told to fork servers",
    "LLEM_SIDE": "told to the sides of llem ab",
    "LLEM_SIDE_PLUGINS": "told to the sides of llem ab",
}
"""Variables that are no fields, and what they are for."""
TESTS = "LLEM_TEST_"
"""Begins variables that are left to tests, of this project and of others."""
HOME = ("_PYTHON", "_IMAGE")
"""Ends variables that say where an engine's experiments run; with two underscores together it is
an option of a section."""


def given_by(environ: Mapping[str, str], directory: Path | None = None) -> list[Given]:
    """What variables say of fields; an empty one says nothing.

    Args:
        environ: the environment.
        directory: where files are found that it names; the current one by default.

    Raises:
        ConfigError: a variable names no field, or has an impossible value; all are named.
    """
    given: list[Given] = []
    problems: list[str] = []
    for name, text in sorted(environ.items()):
        if not text or not name.startswith(PREFIX) or is_reserved(name):
            continue
        for found in _found(name, text):
            if isinstance(found, str):
                problems.append(found)
                continue
            leaf = located(found, directory or Path.cwd())
            if isinstance(leaf, Problem):
                problems.append(f"{name}: {leaf}")
            else:
                given.append(Given(leaf, Origin("environment", by=name)))
    refuse(problems)
    return given


def is_reserved(name: str) -> bool:
    """Whether the variable *name* is no field, and never will be."""
    is_home = name.endswith(HOME) and "__" not in name
    return name in RESERVED or is_home or name.startswith(TESTS)


def variable_of(path: str) -> str:
    """The variable that sets the field *path*: ``LLEM_VLLM__MAX_NUM_SEQS``."""
    return PREFIX + path.replace(".", "__").replace("-", "_").upper()


def _found(name: str, text: str) -> Iterator[Leaf | str]:
    path = _path_of(name)
    if unknown_path(path, text) is not None:
        near = nearest(name, [*map(variable_of, _fields()), *RESERVED])
        hint = f" Did you mean {near}?" if near else ""
        yield f"{name}: there is no such variable.{hint} Fields are LLEM_FIELD and LLEM_SECTION__OPTION."
        return
    found = leaves_of_text(path, text)
    if isinstance(found, Problem):
        yield f"{name}={shown_value(text)}: {found.reason}"
    else:
        yield from found


def _path_of(name: str) -> str:
    section, dots, option = name.removeprefix(PREFIX).lower().partition("__")
    if dots and not is_section(section) and is_section(section.replace("_", "-")):
        section = section.replace("_", "-")  # of another distribution
    return f"{section}.{option}" if dots else section


def _fields() -> Iterator[str]:
    for name in sorted(FIELDS):
        if is_section(name):
            yield from (f"{name}.{option}" for option in options_of(name))
        else:
            yield name
