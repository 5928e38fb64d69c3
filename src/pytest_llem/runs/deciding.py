"""Judging the experiments of a session, and releasing the reports of those that are decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem._compat import speak_of
from pytest_llem.errors import LlemError
from pytest_llem.runs.release import release

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.runs.conductor import Conductor
    from pytest_llem.runs.gatekeeper import Gatekeeper
    from pytest_llem.runs.repeats import Repeated


class Deciding:
    """Holds reports back until nothing that is still to come can change what is said of them."""

    def __init__(
        self, config: pytest.Config, conductor: Conductor, gatekeeper: Gatekeeper, *, may_wait: bool
    ) -> None:
        """Judge by *gatekeeper*; unless it *may_wait*, release each report at once."""
        self._config = config
        self._conductor = conductor
        self._gatekeeper = gatekeeper
        self._may_wait = may_wait
        self._held: list[Repeated] = []

    @property
    def by_looks(self) -> bool:
        """Whether experiments are judged all together, as often as there are looks."""
        return self._gatekeeper.looks is not None

    def ended(self, experiment: Repeated) -> None:
        """A process of *experiment* has ended: judge it if it is decided."""
        waits_for_a_look = self.by_looks and not experiment.is_broken
        if experiment.is_decided and not experiment.released and not waits_for_a_look:
            self.judge(experiment)

    def judge(self, experiment: Repeated) -> None:
        """Judge an experiment by all its processes, and release it if that is final."""
        experiment.released = True
        kept = experiment.kept
        if kept.results and kept.problem is None:
            try:
                kept.judgements = self._gatekeeper.judge(kept.results)
            except LlemError as error:
                kept.problem = error
        final = all(judgement.final for judgement in kept.judgements)
        if final or not self._may_wait:
            self._release(experiment)
        else:
            self._held.append(experiment)

    def look(self, experiments: Iterable[Repeated]) -> list[Repeated]:
        """Judge *experiments* by what they have; those that more processes may decide."""
        waiting = [one for one in experiments if not one.released and one.ended is not None]
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

    def settle(self, experiments: Sequence[Repeated]) -> None:
        """Release what waited: for processes that will not come, or for the family."""
        for experiment in experiments:
            if experiment.ended is None or experiment.released:
                continue
            if not self.by_looks:
                self.judge(experiment)
                continue
            experiment.released = True
            self._add_to_family(experiment)
            self._held.append(experiment)
        held, self._held = self._held, []
        settled = self._settled() if held else {}
        for experiment in held:
            kept = experiment.kept
            if kept.results:
                found = settled.get(kept.results[0].experiment_id, kept.judgements)
                kept.judgements = found
            self._release(experiment)

    def _add_to_family(self, experiment: Repeated) -> None:
        try:
            self._gatekeeper.take(experiment.kept.results)
        except LlemError as error:
            experiment.kept.problem = error

    def _settled(self) -> dict[str, Any]:
        try:
            return self._gatekeeper.settle()
        except LlemError as error:
            self._config.issue_config_time_warning(
                pytest.PytestWarning(f"the family of gates could not be judged: {error}"), 2
            )
            return {}

    def _release(self, experiment: Repeated) -> None:
        assert experiment.ended is not None  # noqa: S101 - only what has run is released
        speak_of(self._config, experiment.item)
        strict = self._conductor.settings.strict
        if experiment.kept.results:
            witness = self._conductor.log.witness_of(experiment.kept.results[-1])
            witness.judged(experiment.kept.judgements, strict=strict)
        release(experiment.ended, experiment.kept, self._conductor.store, strict=strict)
