"""The windows of a measurement as a table of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.quantities import (
    ESTIMATED_MARK,
    common_exponent,
    number,
    plain_numbers,
    prefix,
    unit_of,
)
from pytest_llem.reports.windows import FIGURES, remark, window_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.measured import Measured, WindowSample
    from pytest_llem.reports.windows import WindowFigure

_SIGNS = VIEW.signs


def windows_of(measured: Measured) -> dict[str, Any]:
    """Headings with their units, and the cells row by row, as the terminal has them with ``-vv``."""
    windows = measured.windows
    named = [(figure, _values(windows, figure)) for figure in FIGURES]
    known = [(figure, values) for figure, values in named if set(values) - {None}]
    columns = [_column(figure, values, windows, measured) for figure, values in known]
    cells = [texts for _, texts in columns] + [[VIEW.clean(remark(window)) for window in windows]]
    return {
        "head": [*(head for head, _ in columns), ["remarks", ""]],
        "windows": [window_name(window) for window in windows],
        "invalid": [place for place, one in enumerate(windows) if not one.valid],
        "rows": [list(row) for row in zip(*cells, strict=True)],
    }


def _values(windows: Sequence[WindowSample], figure: WindowFigure) -> list[float | None]:
    return [getattr(window, figure.field) for window in windows]


def _column(
    figure: WindowFigure,
    values: Sequence[float | None],
    windows: Sequence[WindowSample],
    measured: Measured,
) -> tuple[list[str], list[str]]:
    unit = unit_of(figure.field)
    exponent = common_exponent(values) if unit.scaled else 0
    is_energy = unit.symbol in {"J", "W"} and figure.field != "power_limit_w"
    mark = ESTIMATED_MARK if measured.estimated and is_energy else ""
    texts = _texts(figure, values, windows, exponent)
    if mark:
        known = [value is not None for value in values]
        texts = [mark * is_known + text for text, is_known in zip(texts, known, strict=True)]
    return [figure.title, mark + prefix(exponent, _SIGNS) + unit.symbol], texts


def _texts(
    figure: WindowFigure,
    values: Sequence[float | None],
    windows: Sequence[WindowSample],
    exponent: int,
) -> list[str]:
    if figure.uncertainty:
        spreads = [getattr(window, figure.uncertainty) for window in windows]
        return [
            _SIGNS.unknown if value is None else _with_spread(value, spread, exponent)
            for value, spread in zip(values, spreads, strict=True)
        ]
    if all(value is None or isinstance(value, int) for value in values):
        return [_SIGNS.unknown if value is None else str(value) for value in values]
    return plain_numbers(values, signs=_SIGNS, exponent=exponent)


def _with_spread(value: float, spread: float | None, exponent: int) -> str:
    written = number(value, spread, signs=_SIGNS, exponent=exponent, with_uncertainty=True)
    return written.text(_SIGNS)
