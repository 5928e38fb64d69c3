"""What pytest's report header says: the machine, the meter, and how sure the figures can be."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_llem.devices.selection import REPLAY
from pytest_llem.reports.text import clean, cut_middle, glyphs, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WIDTH = 80
_ORNAMENTS = re.compile(r"\((?:R|TM|C)\)|\bCPU\b|@.*", re.IGNORECASE)
_LABEL = "llem: "
MOST_LINES = 3


def header_lines(  # noqa: PLR0913 -- every fact of the header by name
    *,
    machine: Mapping[str, Any] | object,
    meter_name: str,
    meter_why: str,
    measured: bool,
    profile: str,
    isolation: str,
    unicode: bool = True,
) -> list[str]:
    """Two or three lines of at most 80 columns.

    Args:
        machine: The run's environment, as a mapping or an object with the same
            names: ``gpus`` (each with a ``name``), ``driver_version``,
            ``cpu_model``, ``usable_cores``, ``logical_cores``. What is missing or
            ``None`` is unknown.
        meter_name: The meter that reads the energy.
        meter_why: Why this one, in a few words.
        measured: Whether it measures rather than estimates.
        profile: The system profile.
        isolation: How experiments are kept apart.
        unicode: Whether the terminal shows more than ASCII.
    """
    how = f"profile {profile}, isolation {isolation}"
    why = re.sub(rf"^{re.escape(meter_name)}\b", "", meter_why).lstrip(" :,;")
    meter = _lines(f"energy is {_source(meter_name, measured=measured)} ({why})", 2, unicode)
    return [*_lines(f"{_machine(machine)}; {how}", MOST_LINES - len(meter), unicode), *meter]


def _source(meter_name: str, *, measured: bool) -> str:
    if meter_name.split(" and ", maxsplit=1)[0] == REPLAY:
        return "REPLAYED, not measured here" if measured else "REPLAYED from an ESTIMATE"
    return f"measured by {meter_name}" if measured else f"ESTIMATED by meter {meter_name}"


def _lines(text: str, most: int, unicode: bool) -> list[str]:
    """*text* in at most so many lines, with an ellipsis in its middle if it is too long."""
    cleaned = clean(text, unicode=unicode)
    indent = " " * len(_LABEL)
    for room in range(most * WIDTH, 0, -1):
        shown = cut_middle(cleaned, room, glyphs(unicode=unicode).ellipsis)
        lines = wrapped(shown, WIDTH, first=_LABEL, indent=indent)
        if len(lines) <= most:
            break
    return lines


def _machine(machine: Mapping[str, Any] | object) -> str:
    gpus = _names(_known(machine, "gpus") or ())
    if gpus:
        driver = _known(machine, "driver_version")
        counted = [f"{count} × {name}" for name, count in Counter(gpus).items()]
        return ", ".join([*counted, *([f"driver {driver}"] if driver else [])])
    model = _tidy(_known(machine, "cpu_model") or "unknown processor")
    cores = _cores(_known(machine, "usable_cores"), _known(machine, "logical_cores"))
    return f"{model}, {cores}" if cores else model


def _tidy(model: str) -> str:
    """A processor's name without marks and clock rate."""
    return " ".join(_ORNAMENTS.sub(" ", model).split())


def _names(gpus: Iterable[Any]) -> list[str]:
    return [str(_known(gpu, "name") or "unnamed GPU") for gpu in gpus]


def _cores(usable: float | None, logical: int | None) -> str:
    if usable is None or usable == logical:
        return "" if logical is None else _counted(logical)
    return f"{usable:g} of {_counted(logical)}" if logical else _counted(usable)


def _counted(cores: float) -> str:
    return f"{cores:g} core{'' if cores == 1 else 's'}"


def _known(holder: Mapping[str, Any] | object, name: str) -> Any:
    get = getattr(holder, "get", None)
    return get(name) if callable(get) else getattr(holder, name, None)
