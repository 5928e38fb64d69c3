"""Judging the experiments of a session, and releasing the reports of those that are decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_llem.errors import LlemError
from pytest_llem.runs.repeats import Repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_llem.runs.gatekeeper import By, Gatekeeper

Experiment = TypeVar("Experiment", bound=Repeated)


class Deciding(Generic[Experiment]):
    """Holds reports back until nothing that is still to come can change what is said of them."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        release: Callable[[Experiment], None],
        warn: Callable[[str], None],
    ) -> None:
        """Judge by *gatekeeper*; *warn* gets why the family could not be judged."""
        self._gatekeeper, self._release, self._warn = gatekeeper, release, warn
        self._held: list[Experiment] = []

    @property
    def by_looks(self) -> bool:
        """Whether experiments are judged all together, as often as there are looks."""
        return self._gatekeeper.looks is not None

    def is_due(self, experiment: Experiment) -> bool:
        """Whether *experiment* can be judged now that a process of it has ended."""
        waits_for_a_look = self.by_looks and not experiment.is_broken
        return experiment.is_decided and not experiment.released and not waits_for_a_look

    def judge(self, experiments: Sequence[Experiment]) -> None:
        """Judge experiments by all their processes, and release those of which that is final.

        What has failed anyway waits for nobody.
        """
        for experiment in experiments:
            experiment.released = True
            self._add_to_family(experiment)
        sound = [one for one in experiments if one.kept.results and one.kept.problem is None]
        try:
            judged = self._gatekeeper.judge([one.kept.results[0].experiment_id for one in sound])
        except LlemError as error:
            judged = {}
            for experiment in sound:
                experiment.kept.problem = error
        for experiment in experiments:
            kept = experiment.kept
            if kept.results and kept.problem is None:
                kept.judgements = judged.get(kept.results[0].experiment_id, [])
            self._release_or_hold(experiment)

    def _release_or_hold(self, experiment: Experiment) -> None:
        if experiment.is_broken or all(one.final for one in experiment.kept.judgements):
            self._release(experiment)
        else:
            self._held.append(experiment)

    def look(self, experiments: Iterable[Experiment]) -> list[Experiment]:
        """Judge *experiments* by what they have; those that more processes may decide."""
        waiting = [one for one in experiments if not one.released and one.ran]
        for experiment in waiting:
            self._add_to_family(experiment)
        settled = self._settled()
        for experiment in waiting:
            kept = experiment.kept
            kept.judgements = settled.get(kept.results[0].experiment_id, []) if kept.results else []
            gated = [one for one in kept.judgements if one.gated]
            if kept.problem or all(one.verdict != "inconclusive" for one in gated):
                experiment.released = True
                self._release(experiment)
        return [
            one
            for one in waiting
            if not one.released and any(judgement.undecided for judgement in one.kept.judgements)
        ]

    def settle(self, experiments: Sequence[Experiment]) -> None:
        """Release what waited: for processes that will not come, or for the family."""
        waiting = [one for one in experiments if one.ran and not one.released]
        if self.by_looks:
            for experiment in waiting:
                experiment.released = True
                self._add_to_family(experiment)
            self._held += waiting
        elif waiting:
            self.judge(waiting)
        held, self._held = self._held, []
        settled = self._settled() if held else {}
        for experiment in held:
            kept = experiment.kept
            if kept.results:
                found = settled.get(kept.results[0].experiment_id, kept.judgements)
                kept.judgements = found
            self._release(experiment)

    def forget(self, experiment: Experiment) -> None:
        """Say nothing of *experiment*: somebody else has reported it."""
        experiment.released = True
        self._held = [one for one in self._held if one is not experiment]

    def _add_to_family(self, experiment: Experiment) -> None:
        if not experiment.kept.results or experiment.kept.problem is not None:
            return
        try:
            self._gatekeeper.take(experiment.kept.results)
        except LlemError as error:
            experiment.kept.problem = error

    def _settled(self) -> By:
        try:
            return self._gatekeeper.settle()
        except LlemError as error:
            self._warn(f"the family of gates could not be judged: {error}")
            return {}
