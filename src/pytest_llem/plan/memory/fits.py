"""The fit of many experiments, each combination of what decides it looked at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.plan.memory.facts import ModelFacts, UnknownModelError
from pytest_llem.plan.memory.fit import Fit, fit_of
from pytest_llem.plan.memory.need import footprint_of, need_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.plan.memory.fit import Room
    from pytest_llem.plan.memory.need import Footprint

    FactsOf = Callable[[str, str | None], ModelFacts]
    RoomOf = Callable[[ExperimentConfig], Room | str]


class Fits:
    """Tells whether experiments fit."""

    def __init__(self, facts_of: FactsOf, room_of: RoomOf) -> None:
        """Tell by the models that *facts_of* knows and the devices that *room_of* does.

        Args:
            facts_of: the configuration of a model and its revision; raises
                ``UnknownModelError`` where it is not at hand.
            room_of: the devices of an experiment, or why they are not known.
        """
        self._facts_of = facts_of
        self._room_of = room_of
        self._facts: dict[tuple[str, str | None], ModelFacts | str] = {}
        self._footprints: dict[Hashable, Footprint | str] = {}

    def of(self, config: ExperimentConfig) -> Fit:
        """The fit of one experiment."""
        footprint = self.footprint(config)
        if isinstance(footprint, str):
            return Fit("unknown", footprint)
        room = self._room_of(config)
        if isinstance(room, str):
            need = need_of(config, footprint, on_gpu=config.device != "cpu")
            return Fit("unknown", room, need, None, footprint)
        return fit_of(config, footprint, need_of(config, footprint, on_gpu=room.is_gpu), room)

    def footprint(self, config: ExperimentConfig) -> Footprint | str:
        """What *config* shares with all that load its model in the same way, or why not known."""
        key = _key(config)
        if key not in self._footprints:
            self._footprints[key] = self._looked_up(config)
        return self._footprints[key]

    def facts(self, model: str, revision: str | None) -> ModelFacts | str:
        """The configuration of a model, or why it is not known."""
        key = (model, revision)
        if key not in self._facts:
            try:
                self._facts[key] = self._facts_of(model, revision)
            except UnknownModelError as error:
                self._facts[key] = str(error)
        return self._facts[key]

    def _looked_up(self, config: ExperimentConfig) -> Footprint | str:
        facts = self.facts(config.model, config.revision)
        if isinstance(facts, str):
            return facts
        try:
            return footprint_of(config, facts)
        except UnknownModelError as error:
            return str(error)


def _key(config: ExperimentConfig) -> Hashable:
    """What decides a footprint."""
    return (
        config.backend,
        config.model,
        config.revision,
        config.dtype,
        config.quantization,
        config.device == "cpu",
        config.tensor_parallel_size,
        config.pipeline_parallel_size,
        config.vllm.kv_cache_dtype if config.backend == "vllm" else None,
        str(config.transformers.given()) if config.backend == "transformers" else None,
    )
