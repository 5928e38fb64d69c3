"""Comparing the experiments of a run with their baselines, as one family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.comparison import compare
from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.looks import plan_looks
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.baselines.store import BaselineStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.looks import Looks
    from pytest_llem.baselines.rules import Rule
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.settings import RunSettings

By = dict[str, list["Judgement"]]


class Gatekeeper:
    """Judges experiments as they finish, and the whole family once more at its end.

    Without a declared gate nothing is judged here: such comparisons only inform,
    and are made in one go when the run is over.
    """

    def __init__(
        self,
        settings: RunSettings,
        environment: Environment,
        experiments: int,
        *,
        may_wait: bool = True,
    ) -> None:
        gated = settings.gates and not settings.update_baselines
        self._rules = parse_rules(settings.gates) if gated else ()
        self._environment = environment.model_dump(mode="json")
        self._baselines = BaselineStore(settings.baselines)
        self._family_size = experiments
        self._alone = not may_wait
        self._family: dict[str, list[Comparison]] = {}
        self.looks: Looks | None = None
        """At how many processes undecided experiments are looked at; ``None`` if only once."""
        if settings.max_repeats is not None:
            self.looks = plan_looks(settings.repeats, settings.max_repeats)

    def judge(self, results: Sequence[ExperimentResult]) -> list[Judgement]:
        """What can be said of one experiment, by all its processes, while others are to come.

        Raises:
            BaselineError: a baseline cannot be read, or judging failed.
        """
        comparisons = self.take(results)
        if not comparisons:
            return []
        return judge_in_helper(comparisons, family_size=self._family_size, alone=self._alone)

    def take(self, results: Sequence[ExperimentResult]) -> list[Comparison]:
        """Make an experiment, by all its processes, a member of the family; nothing is judged.

        Raises:
            BaselineError: a baseline cannot be read.
        """
        shown = any(result.measurements or result.outcome == "passed" for result in results)
        if not self._rules or not shown:
            return []
        comparisons = _compared(results, self._baselines, self._rules, self._environment)
        self._family[results[0].experiment_id] = comparisons
        return comparisons

    def settle(self) -> By:
        """What the family says that there is, by experiment; no more of it will come.

        Where others have the rest of it, as workers of pytest-xdist do, they count.

        Raises:
            BaselineError: judging failed.
        """
        size = self._family_size if self._alone else None
        return _judged(self._family, size, alone=self._alone, looks=self.looks)


def compare_for_information(
    experiments: Sequence[Sequence[ExperimentResult]],
    environment: Mapping[str, Any],
    settings: RunSettings,
) -> By:
    """How experiments, each by its processes, compare with their baselines; nothing fails.

    Raises:
        BaselineError: a baseline cannot be read, or judging failed.
    """
    baselines = BaselineStore(settings.baselines)
    rules = parse_rules(settings.gates)
    family = {
        results[0].experiment_id: _compared(results, baselines, rules, environment)
        for results in experiments
        if all(result.measurements for result in results)
        and baselines.find(results[0], environment) is not None
    }
    return _judged(family, None) if family else {}


def _compared(
    results: Sequence[ExperimentResult],
    baselines: BaselineStore,
    rules: Sequence[Rule],
    environment: Mapping[str, Any],
) -> list[Comparison]:
    measured = next((result for result in results if result.measurements), results[0])
    return compare(results, baselines.find(measured, environment), rules, environment)


def _judged(
    family: Mapping[str, list[Comparison]],
    family_size: int | None,
    *,
    alone: bool = False,
    looks: Looks | None = None,
) -> By:
    flat = [comparison for comparisons in family.values() for comparison in comparisons]
    judged = judge_in_helper(flat, family_size=family_size, alone=alone, looks=looks)
    judgements = iter(judged)
    return {name: [next(judgements) for _ in members] for name, members in family.items()}
