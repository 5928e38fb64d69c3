"""The experiment's workload as something that an engine repeats."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from pytest_llem.config.identity import digest
from pytest_llem.config.phases import phase_plan
from pytest_llem.measure.work import Loads, engine_load, pass_of
from pytest_llem.workloads.batch import build_batches, prefill_only, with_output, workload_hash
from pytest_llem.workloads.chats import renewed
from pytest_llem.workloads.synthetic import ordinary_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.measurement import MeasurementConfig
    from pytest_llem.energy.marks import Pass
    from pytest_llem.engines.engine import Session
    from pytest_llem.measure.work import Load
    from pytest_llem.workloads.request import Request

MOST_LISTED = 1024
"""Requests whose lengths are listed one by one."""


@dataclass(frozen=True, slots=True)
class EngineWork:
    """The batches of one pass, and the session that serves them."""

    session: Session
    batches: Sequence[Sequence[Request]]
    source: str
    renewing: Sequence[int] | None = None
    """Ids that passes are numbered with, so that they share no prefix; ``None`` for passes that
    are all alike."""
    numbers: Iterator[int] = field(default_factory=count)

    def loads(self, settings: MeasurementConfig) -> Loads:
        """All that one measurement repeats."""
        lengths = {request.output_tokens for batch in self.batches for request in batch}
        plan = phase_plan(settings, sorted(lengths))
        prefill = [prefill_only(batch) for batch in self.batches]
        return Loads(
            self.load(self.batches),
            output_length=lengths.pop() if len(lengths) == 1 else None,
            prefill=self.load(prefill) if plan.prefill_windows else None,
            at_lengths={
                length: self.load([with_output(batch, length) for batch in self.batches])
                for length in plan.output_tokens
            },
        )

    def load(self, batches: Sequence[Sequence[Request]]) -> Load:
        """Passes that serve *batches*, one after another."""
        if self.renewing is None:
            return engine_load(self.session, *batches)
        ordinary = self.renewing

        def load() -> Pass:
            asked = renewed(batches, next(self.numbers), ordinary)
            return pass_of(*[self.session.generate(batch) for batch in asked])

        return load

    def described(self) -> dict[str, Any]:
        """What one pass asks, as JSON values; lengths one by one where they differ."""
        return described(self.source, self.batches)


def workload_of(config: ExperimentConfig, session: Session) -> EngineWork:
    """What *config* asks of the engine that *session* belongs to.

    Raises:
        ConfigError: the workload cannot be had as configured.
    """
    renewing = ordinary_ids(config, session.tokenizer) if config.workload.prefix_cache else None
    batches = build_batches(config, session.tokenizer)
    return EngineWork(session, batches, config.workload.source, renewing)


def described(source: str, batches: Sequence[Sequence[Request]]) -> dict[str, Any]:
    """What *batches* ask, as JSON values."""
    requests = [request for batch in batches for request in batch]
    inputs = [len(request.prompt_token_ids) for request in requests]
    outputs = [request.output_tokens for request in requests]
    return {
        "source": source,
        "hash": digest([workload_hash(batch) for batch in batches]),
        "requests": len(requests),
        "turns": len(batches),
        "input_tokens": sum(inputs),
        "output_tokens": sum(outputs),
        "input_lengths": _listed(inputs),
        "output_lengths": _listed(outputs),
    }


def _listed(lengths: Sequence[int]) -> list[int] | None:
    mixed = len(set(lengths)) > 1
    return list(lengths) if mixed and len(lengths) <= MOST_LISTED else None
