"""The only place that touches names which pytest does not publish.

Written against pytest 8.4 to 9.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from _pytest.mark.structures import ParameterSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pytest


class FixtureDef(Protocol):
    """What is read of a fixture's definition."""

    argnames: Sequence[str]
    """Fixtures that it requests."""
    func: Callable[..., object]


class Call(Protocol):
    """One planned invocation of a test function, which becomes one item."""

    params: Mapping[str, object]
    """Parametrized arguments and their values."""
    indices: Mapping[str, int]
    """Position of each value in its own ``parametrize`` call, while tests are generated."""
    marks: Sequence[pytest.Mark]
    """Marks of the parameters, outermost ``parametrize`` first."""

    @property
    def id(self) -> str:
        """What stands between the brackets of the item's name; empty for none."""
        ...


def parse_argnames(argnames: str | Sequence[str]) -> tuple[list[str], bool]:
    """Names that ``parametrize`` is given, and whether a row is a bare value."""
    names, single = ParameterSet._parse_parametrize_args(argnames, ())  # noqa: SLF001
    return list(names), single


def parameter_set(row: object, *, single: bool) -> ParameterSet:
    """*row* as ``pytest.param`` makes it; its values may be no sequence if it is malformed."""
    return ParameterSet.extract_from(row, force_tuple=single)


def fixtures_of(metafunc: pytest.Metafunc, name: str) -> Sequence[FixtureDef]:
    """Definitions of the fixture that a test function uses, overridden ones first.

    Empty if there is no such fixture, or if the function parametrizes the name
    itself, so that no fixture is used.
    """
    found = metafunc._arg2fixturedefs.get(name, ())  # noqa: SLF001
    return cast("Sequence[FixtureDef]", found)


def visible_fixtures(metafunc: pytest.Metafunc, name: str) -> Sequence[FixtureDef]:
    """Definitions of the fixture that a test function could use, overridden ones first."""
    manager = metafunc.definition.session._fixturemanager  # noqa: SLF001
    found = manager.getfixturedefs(name, metafunc.definition)
    return cast("Sequence[FixtureDef]", found or ())


def calls_of(metafunc: pytest.Metafunc) -> Sequence[Call]:
    """Invocations planned so far; empty if nothing is parametrized."""
    return cast("Sequence[Call]", metafunc._calls)  # noqa: SLF001


def set_calls(metafunc: pytest.Metafunc, calls: Iterable[Call]) -> None:
    """Replace the planned invocations by some of them."""
    metafunc._calls = list(calls)  # type: ignore[arg-type]  # noqa: SLF001


def call_of(item: pytest.Item) -> Call | None:
    """The planned invocation that *item* was made from, or ``None`` without parameters."""
    return cast("Call | None", getattr(item, "callspec", None))


def intercept_parametrize(
    metafunc: pytest.Metafunc, wrapper: Callable[..., None]
) -> Callable[..., None]:
    """Send every ``metafunc.parametrize`` to *wrapper*; the original is returned."""
    original: Callable[..., None] = metafunc.parametrize
    metafunc.parametrize = wrapper  # type: ignore[method-assign]
    return original


def terminal_encoding(config: pytest.Config) -> str:
    """Encoding of what pytest reports to; ASCII where it does not say."""
    file = config.get_terminal_writer()._file  # noqa: SLF001
    return getattr(file, "encoding", None) or "ascii"
