"""Comparing the experiments of a run with their baselines, as one family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.anchors import readings_for
from pytest_llem.baselines.comparing import compare
from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.looks import plan_looks
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.runs.anchored import Anchored
from pytest_llem.runs.compared_with import compared_with, policy_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.looks import Looks
    from pytest_llem.baselines.matching import Policy
    from pytest_llem.baselines.rules import Rule
    from pytest_llem.baselines.store import Baselines
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.settings import RunSettings

By = dict[str, list["Judgement"]]


class Gatekeeper:
    """Judges experiments as they finish, and the whole family once more at its end.

    Experiments without a gate are not judged here: such comparisons only inform,
    and are made in one go when the run is over.
    """

    def __init__(
        self,
        settings: RunSettings,
        environment: Environment,
        rules: Mapping[str, tuple[Rule, ...]],
        *,
        family_size: int | None = None,
    ) -> None:
        """Judge the experiments that have *rules*, by node id.

        *family_size* is how many there are, where not all of their rules are known yet; they are
        added to :attr:`rules` as they become known.

        Raises:
            ConfigError: there are no such baselines as were asked for.
            BaselineError: they cannot be read.
        """
        self.rules = {node_id: own for node_id, own in rules.items() if own}
        self._gates = not settings.update_baselines
        self._environment = environment.model_dump(mode="json")
        self.baselines = compared_with(settings)
        self.anchored = Anchored()
        """What the session's anchors took so far."""
        self._policy = policy_of(settings)
        self._family_size = len(self.rules) if family_size is None else family_size
        self._family: dict[str, list[Comparison]] = {}
        self._taken: dict[str, Sequence[ExperimentResult]] = {}
        self.looks: Looks | None = None
        """At how many processes undecided experiments are looked at; ``None`` if only once."""
        if settings.max_repeats is not None:
            self.looks = plan_looks(settings.repeats, settings.max_repeats)

    def take(self, results: Sequence[ExperimentResult]) -> None:
        """Make an experiment, by all its processes, a member of the family; nothing is judged.

        Raises:
            BaselineError: a baseline cannot be read.
        """
        shown = any(result.measurements or result.outcome == "passed" for result in results)
        rules = self.rules.get(results[0].node_id or "", ())
        if not (self._gates and rules and shown):
            return
        name = results[0].experiment_id
        self._taken[name] = results
        self._family[name] = self._comparisons(results)

    def judge(self, names: Collection[str]) -> By:
        """What can be said of members of the family, by experiment, while others are to come.

        Raises:
            BaselineError: judging failed.
        """
        these = {name: self._family[name] for name in sorted(names) if name in self._family}
        return _judged(these, family_size=self._family_size) if these else {}

    def _comparisons(self, results: Sequence[ExperimentResult]) -> list[Comparison]:
        rules = self.rules[results[0].node_id or ""]
        return _compared(
            results, self.baselines, rules, self._environment, self._policy, self.anchored
        )

    def settle(self) -> By:
        """What the family says that there is, by experiment; no more of it will come.

        All are compared by the anchors that there are by now, not by those when they were taken.

        Raises:
            BaselineError: a baseline cannot be read, or judging failed.
        """
        if self.anchored.results:
            for name, results in self._taken.items():
                self._family[name] = self._comparisons(results)
        in_order = dict(sorted(self._family.items()))  # workers end them in any
        return _judged(in_order, looks=self.looks)


def compare_for_information(
    experiments: Sequence[tuple[Sequence[ExperimentResult], Sequence[str]]],
    environment: Mapping[str, Any],
    settings: RunSettings,
    anchored: Anchored,
) -> By:
    """How experiments, each by its processes and gates, compare with their baselines; nothing fails.

    *anchored* are the anchors of their run.

    Raises:
        BaselineError: a baseline cannot be read, or judging failed.
    """
    if not experiments:
        return {}
    baselines = compared_with(settings)
    known = [
        (results, parse_rules(gates))
        for results, gates in experiments
        if all(result.measurements for result in results)
        and baselines.find(results[0], environment) is not None
    ]
    return compare_by_rules(known, environment, settings, anchored)


def compare_by_rules(
    experiments: Sequence[tuple[Sequence[ExperimentResult], Sequence[Rule]]],
    environment: Mapping[str, Any],
    settings: RunSettings,
    anchored: Anchored,
) -> By:
    """How experiments of a run, each by its processes and rules, compare with their baselines.

    Raises:
        BaselineError: a baseline cannot be read, or judging failed.
    """
    baselines, policy = compared_with(settings), policy_of(settings)
    family = {
        results[0].experiment_id: _compared(
            results, baselines, rules, environment, policy, anchored
        )
        for results, rules in experiments
    }
    return _judged(family) if family else {}


def _compared(  # noqa: PLR0913, PLR0917 - what a comparison is made of
    results: Sequence[ExperimentResult],
    baselines: Baselines,
    rules: Sequence[Rule],
    environment: Mapping[str, Any],
    policy: Policy,
    anchored: Anchored,
) -> list[Comparison]:
    measured = next((result for result in results if result.measurements), results[0])
    entry = baselines.find(measured, environment)
    readings = readings_for(measured, anchored.results)
    return compare(
        results,
        entry,
        rules,
        environment,
        policy=policy,
        anchors=readings,
        no_anchors=anchored.why_none,
    )


def _judged(
    family: Mapping[str, list[Comparison]],
    *,
    family_size: int | None = None,
    looks: Looks | None = None,
) -> By:
    flat = [comparison for comparisons in family.values() for comparison in comparisons]
    judgements = iter(judge_in_helper(flat, family_size=family_size, looks=looks))
    return {name: [next(judgements) for _ in members] for name, members in family.items()}
