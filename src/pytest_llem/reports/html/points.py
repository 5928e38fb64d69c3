"""Experiments as points: what a token costs in energy, against how fast it comes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.hardware import hardware_class
from pytest_llem.reports.html.packing import finite
from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.quantities import ESTIMATED_MARK

if TYPE_CHECKING:
    from pytest_llem.energy.measured import Measured
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.schema import Methodology


class Points:
    """Gathers the kinds of energy that may be compared: same hardware, read in the same way."""

    def __init__(self, environment: Environment | None) -> None:
        self._environment = {"cpu_model": environment.cpu_model if environment else None}
        self._places: dict[tuple[str, str, str, str], int] = {}
        self.series: list[dict[str, Any]] = []
        """Each with its ``hardware`` class, and a ``label`` for people."""
        self.energy = "energy per output token"

    def of(self, row: SummaryRow) -> list[float | None] | None:
        """Series, joules per output token and their half-width, tokens/s, TTFT in seconds.

        The last says by 1 whether the point may stand on the front: the experiment passed and its
        figures count. ``None`` where the energy of an output token is unknown.
        """
        measured, how = row.measured, row.result.measurement_methodology
        if measured is None or how is None or measured.energy_per_output_token_j is None:
            return None
        return [
            self._place(row, measured, how),
            finite(measured.energy_per_output_token_j),
            finite(measured.energy_per_output_token_uncertainty_j),
            finite(measured.output_tokens_per_s),
            finite(measured.ttft_s),
            int(measured.valid and row.result.outcome == "passed"),
        ]

    def _place(self, row: SummaryRow, measured: Measured, how: Methodology) -> int:
        hardware = hardware_class(row.result, self._environment)
        kind = (hardware, measured.meter, measured.scope, measured.method)
        if kind not in self._places:
            self._places[kind] = len(self.series)
            self.series.append({"hardware": hardware, "label": _label(measured, how)})
        return self._places[kind]


def _label(measured: Measured, how: Methodology) -> str:
    names = Counter(device.name for device in how.devices)
    devices = ", ".join(f"{count} × {name}" if count > 1 else name for name, count in names.items())
    mark = f" ({ESTIMATED_MARK} estimated)" if measured.estimated else ""
    return VIEW.clean(f"{devices or 'unnamed device'}, {measured.scope} by {measured.meter}{mark}")
