"""Windows as rounds of benchmarks, in the JSON that ``pytest-benchmark compare`` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pytest_llem._version import __version__
from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.baselines.pooling import pooled_result
from pytest_llem.baselines.rounds import statistics_of_rounds
from pytest_llem.baselines.run_summary import experiments_of, run_facts
from pytest_llem.baselines.samples import measurements_by_name, unusable
from pytest_llem.baselines.told import SECONDS_PER_TOKEN, window_values
from pytest_llem.reports.exporters.summarised import ESTIMATED
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_llem.baselines.run_summary import RunFacts
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.reports.exporters.exporter import Exported, ExportedRun
    from pytest_llem.results.schema import ExperimentResult


class Entry(NamedTuple):
    """What a benchmark of ours is of."""

    metric: str
    unit: str
    group: str
    """Stands above the table, where pytest-benchmark says seconds whatever it is given."""


ENTRIES = (
    Entry("energy_per_output_token_j", "J/token", "J per output token (for seconds read joules)"),
    Entry("energy_j", "J/pass", "J per pass (for seconds read joules)"),
    Entry(SECONDS_PER_TOKEN, "s/token", "seconds per output token"),
    Entry("duration_s", "s/pass", "seconds per pass"),
    Entry("ttft_s", "s to first token", "seconds to the first token"),
    Entry("itl_s", "s between tokens", "seconds between tokens"),
)


class BenchmarkExporter:
    """Each metric of each experiment as a benchmark, whose rounds are the windows.

    pytest-benchmark knows seconds only. Times are in seconds; energies are benchmarks of their
    own, with the unit in name, group and ``extra_info``. Experiments that did not pass, and those
    with invalid measurements, are left out, as pytest-benchmark leaves out what failed.
    """

    name: ClassVar[str] = "pytest-benchmark"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write a benchmark for each metric of each of *experiments* to *path*.

        Raises:
            OSError: the file cannot be written.
        """
        run = next((one.run for one in experiments if one.run is not None), None)
        reported = ((one.result, one.judgements) for one in experiments)
        document = {
            **_about(run),
            "benchmarks": [
                benchmark
                for processes, judgements in experiments_of(reported)
                for benchmark in _benchmarks(processes, judgements)
            ],
            "version": f"pytest-llem {__version__}",
        }
        with replacing(path) as file:
            file.write(f"{json.dumps(document, indent=4)}\n".encode())


def _about(run: ExportedRun | None) -> dict[str, Any]:
    if run is None:
        return {"machine_info": {}, "commit_info": {}, "datetime": None}
    facts = run_facts(run.manifest, run.environment)
    return {
        "machine_info": _machine(facts),
        "commit_info": _commit(facts),
        "datetime": facts.finished_at or facts.started_at,
    }


def _machine(facts: RunFacts) -> dict[str, Any]:
    return {
        "system": facts.os,
        "python_version": facts.python,
        "cpu": {"brand_raw": facts.cpu_model},
        "gpus": list(facts.gpus or ()),
        "driver_version": facts.driver_version,
    }


def _commit(facts: RunFacts) -> dict[str, Any]:
    commit, _, dirty = (facts.commit or "").partition("+")
    return {"id": commit or None, "dirty": bool(dirty), "branch": facts.branch}


def _benchmarks(
    processes: Sequence[ExperimentResult], judgements: Sequence[Judgement]
) -> Iterator[dict[str, Any]]:
    pooled = pooled_result(processes)
    if unusable(pooled) is not None:
        return
    for name in measurements_by_name(pooled):
        measured = [measurements_by_name(one)[name] for one in processes]
        further = "" if pooled.headline and pooled.headline.name == name else f" {name}"
        said = [one for one in judgements if one.measurement == name]
        for entry in ENTRIES:
            values = window_values(measured, entry.metric)
            if values:
                yield _benchmark(
                    pooled, measured[0], entry, further=further, values=values, judgements=said
                )


def _benchmark(  # noqa: PLR0913 - what one benchmark says
    result: ExperimentResult,
    measured: Measured,
    entry: Entry,
    *,
    further: str,
    values: Sequence[float],
    judgements: Sequence[Judgement],
) -> dict[str, Any]:
    estimated = is_estimate(measured, entry.metric)
    mark = ESTIMATED if estimated else ""
    title = f"{further} {entry.unit}{mark}"
    whole = result.full_name
    verdict = next((one for one in judgements if one.metric == entry.metric), None)
    return {
        "group": f"{entry.group}{mark}",
        "name": f"{_short(result)}{title}",
        "fullname": f"{whole}{title}",
        "params": result.own_arguments or None,
        "param": result.label or None,
        "extra_info": {
            "metric": entry.metric,
            "unit": entry.unit,
            "estimated": estimated,
            "meter": measured.meter,
            "scope": measured.scope,
            "experiment_id": result.experiment_id,
            "config_hash": result.config_hash,
            "model": result.config.model,
            "backend": result.config.backend,
            "verdict": None if verdict is None else verdict.verdict,
            "explanation": None if verdict is None else verdict.explanation,
        },
        "options": {},
        "stats": {**statistics_of_rounds(values), "data": list(values), "iterations": 1},
    }


def _short(result: ExperimentResult) -> str:
    """The name without file and class; an id may hold ``::``, too."""
    whole = result.full_name
    if not result.node_id or not whole.startswith(result.group):
        return whole
    return result.group.rpartition("::")[2] + whole.removeprefix(result.group)
