"""What one row of the summary stands for, and the word that sums it up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.baselines.verdict import worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.recorded import Recorded
    from pytest_llem.reports.ink import Style
    from pytest_llem.reports.view import View
    from pytest_llem.results.schema import ExperimentResult

STYLES: dict[str, Style] = {
    "regressed": "red",
    "failed": "red",
    "error": "red",
    "crashed": "red",
    "timed out": "red",
    "invalid": "yellow",
    "inconclusive": "yellow",
    "incomparable": "yellow",
    "skipped": "yellow",
    "new": "cyan",
    "improved": "cyan",
    "pass": "green",
}
MEASURED = "measured"
"""The word for an experiment that was measured and compared with nothing."""
NOT_GATED = "not gated"
"""The word for an experiment that was compared and may change as it likes."""
NOT_MEASURED = "not measured"
"""The word for an experiment that passed and measured nothing."""


@dataclass(frozen=True)
class SummaryRow:
    """One experiment of the summary, with what its gate said about it."""

    result: ExperimentResult
    """All its processes as one."""
    judgements: Sequence[Judgement] = ()
    processes: Sequence[ExperimentResult] = ()
    """The processes that ``result`` pools; with fewer than two it says it all."""
    planned: int = 1
    """How many processes the experiment was to have."""

    @property
    def measured(self) -> Measured | None:
        """The measurement whose figures are shown; ``None`` if nothing was measured."""
        return self.result.headline

    @cached_property
    def entry(self) -> Entry:
        """Its line of the table, but for what it is called."""
        result = self.result
        return Entry("", self.measured, self.judgements, result.outcome, recorded=result.recorded)


class Denominator(NamedTuple):
    """What a row's energy is divided by, and the fields that hold it."""

    name: str
    metric: str
    uncertainty: str


DENOMINATORS = (
    Denominator(
        "output token", "energy_per_output_token_j", "energy_per_output_token_uncertainty_j"
    ),
    Denominator("request", "energy_per_request_j", "energy_per_request_uncertainty_j"),
    Denominator("pass", "energy_j", "energy_uncertainty_j"),
)


@dataclass(frozen=True)
class Entry:
    """One line of the table: a measurement of an experiment."""

    label: str
    measured: Measured | None
    judgements: Sequence[Judgement]
    outcome: str
    is_further: bool = False
    """Whether it is a measurement beyond its experiment's headline."""
    recorded: Sequence[Recorded] = ()
    """Figures of the test's own, with its headline."""

    def called(self, label: str) -> Entry:
        """The same line with a label."""
        found = object.__new__(Entry)
        found.__dict__.update(self.__dict__, label=label)  # with all that is known of it by now
        return found

    @cached_property
    def denominator(self) -> Denominator | None:
        """The finest denominator for which the energy is known."""
        for denominator in DENOMINATORS:
            if getattr(self.measured, denominator.metric, None) is not None:
                return denominator
        return None

    @property
    def estimated(self) -> bool:
        return self.measured is not None and self.measured.estimated

    @cached_property
    def decisive(self) -> Judgement | None:
        """The judgement that stands for all: the worst, of those the one on what is shown."""
        if len(self.judgements) < 2:  # noqa: PLR2004 -- one is both
            return worst(self.judgements)
        on_shown = [each for each in self.judgements if not self.qualifier(each)]
        return worst([*on_shown, *self.judgements])

    def qualifier(self, judgement: Judgement) -> str:
        """Which metric of which measurement a judgement is on, if not what the row shows."""
        if not self._is_shown(judgement):
            return f"{judgement.measurement}: {judgement.metric}"
        if self.denominator is None or judgement.metric != self.denominator.metric:
            return judgement.metric
        return ""

    def _is_shown(self, judgement: Judgement) -> bool:
        return self.measured is not None and judgement.measurement == self.measured.name

    @cached_property
    def word(self) -> str:
        """The outcome if the experiment broke, else its verdict."""
        if self.outcome != "passed":
            return self.outcome.replace("_", " ")
        decisive = self.decisive
        if decisive is not None and decisive.failed(strict=False):
            return decisive.verdict
        if self.measured is not None and not self.measured.valid:
            return "invalid"
        if decisive is not None:
            return decisive.verdict if decisive.gated else NOT_GATED
        return NOT_MEASURED if self.measured is None else MEASURED


def word_of(result: ExperimentResult, judgements: Sequence[Judgement]) -> str:
    """The word that sums an experiment up: its outcome if it broke, else its verdict."""
    return Entry("", result.headline, judgements, result.outcome).word


def entry_of(row: SummaryRow, view: View, called: str | None = None) -> Entry:
    """The line of an experiment as a whole: its headline, with all its judgements.

    It is *called* by its label where its heading says to which test it belongs. How many processes
    it has is said where others have more or fewer.
    """
    label = view.clean(row.result.label if called is None else called)
    if row.result.repeat:
        label = f"{label} (repeat {row.result.repeat})".lstrip()
    if row.planned > 1 and (row.planned != view.processes or _is_short(row)):
        label = f"{label} ({processes_of(row)})".lstrip()
    return row.entry.called(label)


def shared_processes(rows: Sequence[SummaryRow]) -> int:
    """How many processes every experiment was to have; 1 if they differ."""
    planned = {row.planned for row in rows}
    return planned.pop() if len(planned) == 1 else 1


def _is_short(row: SummaryRow) -> bool:
    return len(row.processes) < row.planned and row.result.outcome != "skipped"


def processes_of(row: SummaryRow) -> str:
    """How many processes there are, and of how many if some are missing."""
    ended, planned = len(row.processes), row.planned
    return f"{planned} processes" if ended == planned else f"{ended} of {planned} processes"


def further_entries(row: SummaryRow, view: View) -> list[Entry]:
    """The lines of an experiment's measurements beyond the headline, and of its processes."""
    processes = row.processes if row.planned > 1 else ()
    return [
        *_further_measurements(row, view),
        *(
            Entry(f"process {one.repeat + 1}", one.headline, (), one.outcome, True, one.recorded)
            for one in processes
        ),
    ]


def _further_measurements(row: SummaryRow, view: View) -> list[Entry]:
    return [
        Entry(
            view.clean(measured.name),
            measured,
            [judgement for judgement in row.judgements if judgement.measurement == measured.name],
            "passed",
            is_further=True,
        )
        for measured in row.result.measurements[1:]
    ]


def name_of(row: SummaryRow) -> str:
    """The experiment by its full name, as pytest or the study writes it."""
    repeat = f" (repeat {row.result.repeat})" if row.result.repeat else ""
    return f"{row.result.full_name}{repeat}"


def fails(row: SummaryRow, *, strict: bool) -> bool:
    """Whether this experiment fails the run."""
    if row.result.outcome in {"failed", "error", "crashed", "timed_out"}:
        return True
    return any(judgement.failed(strict=strict) for judgement in row.judgements)
