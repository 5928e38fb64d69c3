"""Whatever a document holds, as names and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.quantities import quantity, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def named_values(plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every value of *plain*, however deep, by its dotted name; an unknown one is a dash."""
    return list(_flattened("", plain))


def _flattened(prefix: str, plain: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from _flattened(f"{prefix}{name}.", value)
        else:
            yield VIEW.clean(f"{prefix}{name}"), text_of(value, str(name))


def text_of(value: Any, name: str = "") -> str:
    """A value as people read it; a number has the unit that its *name* ends with."""
    if value is None:
        return VIEW.signs.unknown
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and value and unit_of(name).symbol:
        return quantity(name, float(value), estimated=False, unicode=True)[0]
    if isinstance(value, list | tuple):
        return ", ".join(text_of(one) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{VIEW.clean(str(key))}: {text_of(one)}" for key, one in value.items())
    return VIEW.clean(str(value))
