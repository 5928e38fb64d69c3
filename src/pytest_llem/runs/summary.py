"""Summing a run up: closing its books, and what the terminal says of it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.kept import JudgedExperiment, Verdicts, keep_verdicts
from pytest_llem.baselines.pooling import as_planned, by_experiment, key_of, pooled_result
from pytest_llem.baselines.verdict import Judgement
from pytest_llem.errors import LlemError, StoreError
from pytest_llem.reports.rows import word_of
from pytest_llem.reports.runs import unfinished_text
from pytest_llem.reports.terminal import SummaryRow, summary_lines
from pytest_llem.reports.text import clean
from pytest_llem.results.load import load_named
from pytest_llem.results.store import RunStore
from pytest_llem.runs.anchored import Anchored
from pytest_llem.runs.books import Closing, close_books
from pytest_llem.runs.ci.github import GitHub, tell_github
from pytest_llem.runs.compared_samples import keep_samples
from pytest_llem.runs.doctor.kept import disturbances
from pytest_llem.runs.exporting import exported_run, write_all
from pytest_llem.runs.gatekeeper import compare_for_information
from pytest_llem.runs.options import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from pytest_llem.reports.exporters.exporter import Exported
    from pytest_llem.results.manifest import State
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.settings import RunSettings


@dataclass(slots=True)
class Told:
    """One experiment, as its report told of it."""

    name: str
    judgements: list[Judgement]
    gates: tuple[str, ...] = ()
    """Its rules, as texts."""
    planned: int = 1
    """How many processes it was to have."""


@dataclass(slots=True)
class Summary:
    """What a run came to; fed from reports, in whichever process they were made."""

    settings: RunSettings
    store: RunStore | None = None
    told: list[Told] = field(default_factory=list)
    closing: Closing = field(default_factory=Closing)
    results: list[ExperimentResult] = field(default_factory=list)
    """Set once :meth:`lines` has read them."""
    github: GitHub = field(default_factory=GitHub)
    """What was left for GitHub Actions; set by :meth:`close`."""
    _experiments: list[tuple[Told, list[ExperimentResult]]] | None = None
    """Those that were told of, each with all its processes; ``None`` until they were read."""

    def hear(self, fields: dict[str, Any]) -> None:
        """Take what a released report says of its experiment."""
        judgements = [_judgement(judgement) for judgement in fields["judgements"]]
        self.told.append(
            Told(fields["name"], judgements, tuple(fields["gates"]), fields["planned"])
        )

    def close(self, *, interrupted: bool) -> None:
        """Close the books of the run, if there was one."""
        if self.store is None:
            return
        self._compare()
        counts = self._keep_verdicts()
        problems = self.closing.problems
        state: State = "interrupted" if interrupted else "finished"
        self.closing = close_books(self.store, self.settings, state, counts)
        experiments = self._exported()
        exported = write_all(self.settings.exports, experiments)
        if self.settings.github:
            self.github = tell_github(experiments, os.environ)
        told = (*exported, *self.github.problems, *self._reported())
        self.closing.problems = [*problems, *self.closing.problems, *told]

    def _reported(self) -> list[str]:
        """Write the HTML report, if one is asked for; what went wrong with it."""
        assert self.store is not None  # noqa: S101 - checked by the caller
        if self.settings.html is None:
            return []
        from pytest_llem.runs.html import write_html

        try:
            write_html(self.store, self.settings.html)
        except LlemError as error:
            return [str(error)]
        return []

    def lines(self, *, width: int, colour: bool, unicode: bool, verbosity: int) -> list[str]:
        """What the terminal says at the end of the run."""
        rows = [
            SummaryRow(
                pooled_result(results), told.judgements, results, self._planned(told, results)
            )
            for told, results in self._read()
        ]
        self.results = [row.result for row in rows]
        return [
            *summary_lines(
                rows,
                width=width,
                colour=colour,
                unicode=unicode,
                verbosity=verbosity,
                strict=self.settings.strict,
                arrangement=self.settings.arrangement,
                disturbances=self._disturbances(),
            ),
            *self._closing_lines(unicode=unicode),
        ]

    def _keep_verdicts(self) -> dict[str, int] | None:
        """Keep what was said of each experiment; how many there were of each verdict."""
        assert self.store is not None  # noqa: S101 - checked by the caller
        try:
            read = self._read()
            judged = [
                JudgedExperiment(
                    result=told.name,
                    planned=self._planned(told, results),
                    gates=told.gates,
                    judgements=tuple(told.judgements),
                )
                for told, results in read
            ]
            verdicts = Verdicts(strict=self.settings.strict, experiments=tuple(judged))
            keep_verdicts(self.store, verdicts)
            keep_samples(
                self.store,
                self.settings,
                [(told.name, results, told.judgements) for told, results in read],
            )
        except LlemError as error:
            self.closing.problems.append(str(error))
            return None
        return Counter(word_of(pooled_result(results), told.judgements) for told, results in read)

    def _exported(self) -> list[Exported]:
        if not (self.settings.exports or self.settings.github) or self.store is None:
            return []
        reported = ((one, told.judgements) for told, results in self._read() for one in results)
        return exported_run(self.store, reported, self.settings.project)

    def _compare(self) -> None:
        assert self.store is not None  # noqa: S101 - checked by the caller
        try:
            environment = self.store.environment().model_dump(mode="json")
            experiments = [
                (told, results)
                for told, results in self._read()
                if self.settings.update_baselines or not told.gates
            ]
            judged = compare_for_information(
                [(results, told.gates) for told, results in experiments],
                environment,
                self.settings,
                Anchored.of_run(self.store),
            )
        except LlemError as error:
            self.closing.problems.append(str(error))
            return
        for told, results in experiments:
            told.judgements = judged.get(results[0].experiment_id, told.judgements)

    def _read(self) -> list[tuple[Told, list[ExperimentResult]]]:
        if self._experiments is None:
            self._experiments = self._as_planned(list(self._readable()))
        return self._experiments

    def _as_planned(
        self, found: list[tuple[Told, list[ExperimentResult]]]
    ) -> list[tuple[Told, list[ExperimentResult]]]:
        assert self.store is not None  # noqa: S101 - checked by the callers
        try:
            return as_planned(found, self.store.manifest(), lambda one: one[1][0])
        except StoreError:  # told where the books are closed
            return found

    def _readable(self) -> Iterator[tuple[Told, list[ExperimentResult]]]:
        assert self.store is not None  # noqa: S101 - checked by the callers
        most = max((told.planned for told in self.told), default=1)
        several = most > 1 or self.settings.max_repeats is not None
        repeated = by_experiment(self.store.results()) if several else {}
        for told in self.told:
            try:
                result = load_named(self.store.path, told.name)
            except StoreError as error:
                self.closing.problems.append(str(error))
            else:
                yield told, repeated.get(key_of(result), [result])

    def _planned(self, told: Told, results: Sequence[ExperimentResult]) -> int:
        """How many processes an experiment was to have; as many as it needed, if that was open."""
        if self.settings.max_repeats is None:
            return told.planned
        return max(len(results), min(self.settings.repeats, self.settings.max_repeats))

    def _spent(self) -> Iterator[str]:
        """What deciding took, where experiments had as many processes as their gates needed."""
        most = self.settings.max_repeats
        counts = [len(results) for _, results in self._read()]
        if most is not None and counts:
            spent, possible = sum(counts), most * len(counts)
            yield (
                f"llem: {spent} processes for {len(counts)} experiments, {possible - spent} fewer "
                f"than {most} each (--llem-max-repeats)"
            )

    def _cost(self, *, unicode: bool) -> Iterator[str]:
        """What the run took, if that is to be said."""
        if self.settings.tariff is None or self.store is None:
            return
        from pytest_llem.reports.cost import total_lines
        from pytest_llem.runs.costing import cost_of

        try:
            report = cost_of([self.store], self.settings.tariff)
        except LlemError as error:
            yield f"llem: {error}"
            return
        yield from total_lines(report, unicode=unicode)
        yield f"cost: llem cost {self.store.run_id} says what is in it, and what is not"

    def _unfinished(self, *, unicode: bool) -> Iterator[str]:
        """Which experiments the run planned and has not got."""
        progress = self.closing.progress
        if progress is not None and not progress.complete:
            said = unfinished_text(progress.done, progress.planned, progress.unfinished)
            yield clean(f"llem: {said} --llem-resume goes on with it.", unicode=unicode)

    def _disturbances(self) -> list[str]:
        assert self.store is not None  # noqa: S101 - checked by the caller
        try:
            return disturbances(self.store.environment())
        except LlemError:  # told where results are compared
            return []

    def _closing_lines(self, *, unicode: bool) -> Iterator[str]:
        assert self.store is not None  # noqa: S101 - checked by the caller
        if self.settings.update_baselines:
            yield f"baselines: {self.closing.updated} written to {self.settings.baselines}"
            for experiment, reason in self.closing.refused.items():
                yield f"baselines: {experiment} not written: {reason}"
        yield from self._spent()
        yield from self._cost(unicode=unicode)
        yield from (f"llem: {problem}" for problem in self.closing.problems)
        yield from self._unfinished(unicode=unicode)
        if self.settings.html is not None and self.settings.html.is_file():
            yield f"report: {self.settings.html}"
        yield f"results: {self.store.path}"


def begin_summary(config: pytest.Config, run: str) -> Summary:
    """The summary of the run in the directory *run*, of which nothing was told yet."""
    return Summary(settings_of(config), RunStore.open(Path(run)))


def _judgement(fields: dict[str, Any]) -> Judgement:
    interval = fields["interval"]
    return Judgement(**{**fields, "interval": tuple(interval) if interval else None})
