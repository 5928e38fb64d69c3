"""pytest's arguments for an environment that has other plugins than this one.

A child takes the same arguments as its parent. Those of a plugin that is installed
here and absent there would end it with a usage error, although they are no business
of the experiment (``-n 4``, ``--cov``, ``-p randomly``), so they are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from pytest_llem.isolation.interpreter import Interpreter

ADDOPTS = "PYTEST_ADDOPTS"


class _UnparsableError(Exception):
    pass


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UnparsableError(message)


class OptionsOf:
    """Stands in for ``pytest.Parser`` to learn which options a plugin adds."""

    def __init__(self) -> None:
        self.parser = _Parser(add_help=False, allow_abbrev=False)
        self.names: list[str] = []

    def getgroup(self, *_: Any, **__: Any) -> OptionsOf:
        return self

    def addoption(self, *names: str, **attributes: Any) -> None:
        with contextlib.suppress(argparse.ArgumentError, TypeError, ValueError):
            self.parser.add_argument(*names, **attributes)
            self.names += names

    _addoption = addoption  # by which pytest-xdist and others claim short options

    def addini(self, *_: Any, **__: Any) -> None:
        """Unknown settings of a file are no errors to pytest."""


def arguments_for(
    config: pytest.Config, arguments: Sequence[str], there: Interpreter
) -> tuple[list[str], dict[str, str]]:
    """*arguments* without options of plugins that are absent *there*.

    Returns:
        The arguments, and environment variables to change along with them.
    """
    absent = list(_absent(config, there))
    if not absent:
        return list(arguments), {}
    options = _options(config, [plugin for plugin, _ in absent])
    names = {name for _, names in absent for name in names}
    kept = _without(arguments, options, names)
    of_file = _addopts_of_file(config)
    if (rest := _without(of_file, options, names)) != of_file:
        kept += ["-o", f"addopts={shlex.join(rest)}"]
    of_variable = shlex.split(os.environ.get(ADDOPTS, ""))
    if (rest := _without(of_variable, options, names)) != of_variable:
        return kept, {ADDOPTS: shlex.join(rest)}
    return kept, {}


def _absent(config: pytest.Config, there: Interpreter) -> Iterator[tuple[object, set[str]]]:
    """Plugins of distributions that are absent *there*, with the names ``-p`` knows them by."""
    manager = config.pluginmanager
    for plugin, distribution in manager.list_plugin_distinfo():
        if not there.has(distribution.project_name):
            names = {manager.get_name(plugin), getattr(plugin, "__name__", None)}
            yield plugin, {name for name in names if name}


def _options(config: pytest.Config, plugins: Sequence[object]) -> OptionsOf:
    options = OptionsOf()
    known = {"parser": options, "pluginmanager": config.pluginmanager}
    for implementation in config.hook.pytest_addoption.get_hookimpls():
        if any(implementation.plugin is plugin for plugin in plugins):
            with contextlib.suppress(Exception):  # of another's code we only want its options
                implementation.function(*(known[name] for name in implementation.argnames))
    return options


def _addopts_of_file(config: pytest.Config) -> list[str]:
    return [str(argument) for argument in config.getini("addopts")]


def _without(arguments: Sequence[str], options: OptionsOf, names: set[str]) -> list[str]:
    try:
        _, rest = options.parser.parse_known_args(_without_plugins(arguments, names))
    except _UnparsableError:
        return list(arguments)
    return rest


def _without_plugins(arguments: Sequence[str], names: set[str]) -> list[str]:
    kept: list[str] = []
    for argument in arguments:
        if argument in names and kept[-1:] == ["-p"]:
            kept.pop()
        elif not (argument.startswith("-p") and argument[2:] in names):
            kept.append(argument)
    return kept
