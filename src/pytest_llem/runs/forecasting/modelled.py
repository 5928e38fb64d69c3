"""What an ideal machine would take, for experiments that nobody has measured here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.energy.floor.accelerators import accelerator_named
from pytest_llem.energy.floor.floor import Machine, NoFloorError, Traffic, floors, least_times
from pytest_llem.energy.model_shape import ModelShape
from pytest_llem.plan.memory.layers import blocks_of
from pytest_llem.plan.outlook import Forecast
from pytest_llem.plan.schedule import Passes, schedule_of

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.plan.memory.facts import ModelFacts
    from pytest_llem.plan.memory.fit import Fit, Room
    from pytest_llem.plan.memory.need import Footprint

HOW = "an ideal {} (at least)"


def forecast(config: ExperimentConfig, facts: ModelFacts, fit: Fit) -> Forecast | str:
    """The least that *config* would take, or why no model of it can be had.

    Time is that of the roofline of :mod:`pytest_llem.energy.floor.floor`, energy its reference.
    """
    room, footprint = fit.room, fit.footprint
    if room is None or footprint is None:
        return fit.reason or "its devices are not known"
    if config.workload.lengths != "fixed" or config.workload.source != "synthetic":
        return "only the workload knows how long its requests are"
    if config.traffic.rate_per_s is not None:
        return "requests come at a rate"
    try:
        machine = _machine(room, footprint)
        shape = shape_of(facts, footprint)
        traffic = Traffic(config.batch_size, config.input_tokens, config.output_tokens)
        prefill_s, step_s = least_times(machine, shape, traffic)
        whole_j = floors(machine, shape, traffic)[0][1]
    except NoFloorError as error:
        return str(error)
    rounds = -(-config.batch_size // (shape.most_requests or config.batch_size))
    pass_s = rounds * (prefill_s + traffic.steps * step_s)
    schedule = schedule_of(config, Passes(pass_s, rounds * prefill_s), footprint.weights_bytes)
    energy_j = None
    if whole_j is not None:
        pass_j = whole_j * config.batch_size * config.output_tokens
        rest_j = machine.static_j(schedule.wall_s - schedule.active_s) or 0.0
        energy_j = pass_j / pass_s * schedule.active_s + rest_j
    return Forecast("model", HOW.format(room.name), schedule.wall_s, energy_j)


def _machine(room: Room, footprint: Footprint) -> Machine:
    gpu = accelerator_named(room.name) if room.is_gpu else None
    if gpu is None:
        raise NoFloorError(f"there is no model of {room.name}")
    rate = gpu.flop_rate(footprint.dtype)
    if rate is None:
        raise NoFloorError(f"no peak is known of {room.name} in {footprint.dtype}")
    return Machine(gpu, room.devices, rate)


def shape_of(facts: ModelFacts, footprint: Footprint) -> ModelShape:
    """What a model's configuration says of its size, as engines say it of a loaded model."""
    blocks, cache = blocks_of(facts), footprint.cache
    devices = footprint.ranks * footprint.stages
    weights = int(footprint.weights_bytes * devices)
    share = weights / blocks.parameters
    tied = not blocks.parameters_of("head")
    lookup = 0 if tied else blocks.parameters_of("embedding")
    experts = blocks.parameters_of("expert")
    return ModelShape(
        parameters=blocks.parameters,
        weight_bytes=weights,
        lookup_parameters=lookup,
        lookup_bytes=min(lookup * footprint.number_bytes, weights // 2),
        expert_parameters=experts,
        expert_bytes=int(experts * share),
        experts=facts.maybe("experts"),
        experts_per_token=facts.maybe("num_experts_per_tok"),
        layers=cache.full_layers + cache.near_layers,
        sliding_layers=cache.near_layers,
        sliding_window=cache.window,
        kv_heads=cache.kv_heads,
        head_dim=-(-cache.per_head // 2),
        kv_value_bits=int(cache.number_bytes * 8) or None,
        dtype=footprint.dtype,
    )
