"""The verdicts on a stored run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.pooling import by_experiment
from pytest_llem.baselines.rulebook import Rulebook
from pytest_llem.runs.anchored import Anchored
from pytest_llem.runs.gatekeeper import compare_by_rules
from pytest_llem.runs.kept_runs import open_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Judged:
    """One experiment of a run, with what gates say of it."""

    name: str
    """Node id, or group and label in the same form."""
    results: tuple[ExperimentResult, ...]
    """One a process."""
    judgements: tuple[Judgement, ...]
    """One a gate and measurement; empty if nothing was measured or nothing gates it."""

    def failed(self, *, strict: bool = False) -> bool:
        """Whether a gate, or the experiment itself, failed; *strict* as ``--llem-strict``."""
        broken = any(one.outcome not in {"passed", "skipped"} for one in self.results)
        return broken or any(one.failed(strict=strict) for one in self.judgements)


def judge_run(
    run: Path | str, gates: Sequence[str] = (), *, settings: RunSettings | None = None
) -> list[Judged]:
    """Compare a stored run with the baselines, all its gated experiments as one family.

    Gates of markers are not stored with a run: those of the project's configuration hold, and
    *gates*, which are stronger. Nothing is written.

    Args:
        run: its directory, its id, or how only its id begins.
        gates: ``METRIC:TOLERANCE`` or ``METRIC:TOLERANCE@GLOB``.
        settings: where baselines are, and what the project configures; by default as pytest
            would have it in the current directory.

    Raises:
        ConfigError: there is no such run, or a gate makes no sense.
        StoreError: the run cannot be read.
        BaselineError: a baseline cannot be read, or judging failed.
    """
    settings = settings or _configured()
    store = open_run(str(run))
    book = Rulebook(settings.configured_gates, (*settings.gates, *gates))
    experiments = list(by_experiment(store.results()).values())
    family = [
        (results, rules)
        for results in experiments
        if (rules := book.rules(results[0].full_name)) and any(one.measurements for one in results)
    ]
    environment = store.environment().model_dump(mode="json")
    judged = compare_by_rules(family, environment, settings, Anchored.of_run(store))
    return [
        Judged(one[0].full_name, tuple(one), tuple(judged.get(one[0].experiment_id, ())))
        for one in experiments
    ]


def _configured() -> RunSettings:
    from dataclasses import replace

    from pytest_llem.config.gates import baseline_table_in, gates_in
    from pytest_llem.pyproject import read_llem_table
    from pytest_llem.runs.library import default_settings

    said = read_llem_table(Path.cwd())
    return replace(
        default_settings(),
        configured_gates=gates_in(said),
        baseline_table=baseline_table_in(said),
    )
