r"""What a token would cost on an ideal machine: a check of the order of magnitude.

Of a decode step that serves B requests on n GPUs:

.. code-block:: text

    t       = max((W + B·K) / (n·BW), 2·N·B / (n·F))
    E/token = 8·e_mem·(W/B + K) + 2·N·e_flop + n·P_static·t / B

W are the weight bytes that a step touches (of a mixture of experts those that the batch is
expected to hit), K the bytes of key-value cache that one request's token reads on average
over the generation, N the parameters that a token multiplies, BW and F bandwidth and
peak arithmetic of a GPU. ``e_flop`` is the GPU's power limit over F (0.71 pJ in bfloat16 on an
H100: 700 W over 989 TFLOP/s), so it has everything in it that a busy chip draws. ``e_mem`` is
3.9 pJ a bit for HBM2 to HBM3 (O'Connor et al., Fine-Grained DRAM, MICRO-50, 2017, of HBM2;
nothing is published on HBM2e and HBM3 apart), 3.4 for HBM3E (the lower of published figures, 3.4
to 3.9) and 7.5 for GDDR6 (Micron, Ultra-Bandwidth Solutions, "average device power"). Of an H100
SXM, BW is 3.35 TB/s and F 989 TFLOP/s (NVIDIA's data sheet), and P_static 120 W: idle cards in
public listings of nvidia-smi at 69 to 75 W, and 50 W for a CUDA context (The Model Parking Tax,
arXiv 2605.23918). What holds of other cards is in their system profiles
(``pytest_llem/config/profiles/*.toml``), each with its source.

*reference* is that. Prefill is added to the whole: 2·N·e_flop for each input token, the
weights once a batch, and static power for the longer of the two.

*strict* is the memory's part alone, and of that only what cannot be avoided:
``8·e_mem·(W + B·K - n·C)`` a step and ``8·e_mem·(W - n·C)`` for prefill, where C is all that
fits on the chip (so a model that fits is free), B is all requests of a pass, and of experts
only as many are counted as a single token takes. Neither arithmetic nor static power is in
it, nor the energy of moving bits within the chip. It holds for memory that spends ``e_mem`` a
bit, and for engines that make one token a step.

A measurement lies a few times above the reference (published figures of Llama-3.1-8B at 3.1 to
3.5 times over a sixfold range of joules per token). One far below it, or a hundred times above
it where the batch is large, is more likely a wrong unit than a discovery. Nothing is ever
gated on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.floor.accelerators import Accelerator, accelerator_named
from pytest_llem.energy.measured import Floor, FloorFigures, ratio
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.devices.meter import Device
    from pytest_llem.energy.measured import Phase
    from pytest_llem.energy.model_shape import ModelShape

GPU_SCOPES = frozenset({"gpu", "module"})


class NoFloorError(Exception):
    """There is no floor for a measurement; the message says why."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """One pass of a workload."""

    requests: int
    input_tokens: float
    """Of one request."""
    output_tokens: float
    """Of one request."""

    @property
    def steps(self) -> float:
        """Decode steps: the first output token comes from prefill."""
        return self.output_tokens - 1


@dataclass(frozen=True, slots=True)
class Machine:
    """So many GPUs of one kind, and how fast they compute in the model's data type."""

    gpu: Accelerator
    count: int
    flop_per_s: float
    """Of one GPU."""

    @property
    def memory_j_per_byte(self) -> float:
        return 8e-12 * self.gpu.memory_pj_per_bit

    @property
    def flop_j(self) -> float:
        """Energy of one operation, with everything that a busy chip draws."""
        return self.gpu.power_limit_w / self.flop_per_s

    def least_s(self, moved_bytes: float, flops: float) -> float:
        """How long it takes at least to read so much and compute so much."""
        bandwidth = self.count * self.gpu.bandwidth_bytes_per_s
        return max(moved_bytes / bandwidth, flops / (self.count * self.flop_per_s))

    def static_j(self, seconds: float) -> float | None:
        power_w = self.gpu.static_power_w
        return None if power_w is None else self.count * power_w * seconds


def floor_of(
    kind: str,
    figures: Mapping[str, Any],
    decode: Phase,
    devices: Sequence[Device],
    model: ModelShape | None,
) -> Floor:
    """The floor of a measurement; without figures, and with the reason, where there is none.

    Args:
        kind: of the measurement: ``workload``, ``callable`` or ``window``.
        figures: of the whole, for one pass of the workload.
        decode: its decode phase.
        devices: whose energy was summed.
        model: what the engine says of the model.
    """
    try:
        machine = machine_of(devices, model)
        shape, traffic = _asked(kind, figures, model)
        whole, decoding = floors(machine, shape, traffic)
    except NoFloorError as error:
        return Floor(reason=str(error))
    reason = f"{machine.count} × {devices[0].name}, {shape.dtype}"
    if whole[1] is None:
        reason += "; no reference, since the static power of this GPU is not published"
    return Floor(
        **_against(figures["energy_per_output_token_j"], whole),
        decode=FloorFigures(**_against(decode.energy_per_output_token_j, decoding)),
        reason=reason,
    )


def machine_of(devices: Sequence[Device], model: ModelShape | None) -> Machine:
    """The machine that *devices* are.

    Raises:
        NoFloorError: they are no GPUs, unlike each other, or not in the table.
    """
    if any(device.capability.scope not in GPU_SCOPES for device in devices) or not devices:
        raise NoFloorError("no accelerator was measured")
    names = sorted({device.name for device in devices})
    if len(names) > 1:
        raise NoFloorError(f"the GPUs are of different kinds: {', '.join(names)}")
    try:
        gpu = accelerator_named(names[0])
    except ConfigError as error:  # a user's profile
        raise NoFloorError(str(error)) from None
    if gpu is None:
        raise NoFloorError(f"no constants are known for {names[0]!r}")
    if model is None:
        raise NoFloorError("the engine does not say how large the model is")
    rate = gpu.flop_rate(model.dtype)
    if rate is None:
        raise NoFloorError(f"no peak is known of {names[0]!r} in {model.dtype}")
    return Machine(gpu, len(devices), rate)


def _asked(
    kind: str, figures: Mapping[str, Any], model: ModelShape | None
) -> tuple[ModelShape, Traffic]:
    if kind != "workload" or model is None:
        raise NoFloorError("not the workload of a model: what a token takes is not known")
    if not model.plausible:
        raise NoFloorError("what the engine says of the model's size contradicts itself")
    requests, inputs, outputs = (
        figures[name] for name in ("requests", "input_tokens", "output_tokens")
    )
    if not requests or inputs is None or not outputs:
        raise NoFloorError("the work of a pass is not known")
    return model, Traffic(requests, inputs / requests, outputs / requests)


Bounds = tuple[float | None, float | None]
"""Strict and reference, in joules per output token; ``None`` where there is none."""


def floors(machine: Machine, model: ModelShape, traffic: Traffic) -> tuple[Bounds, Bounds]:
    """Floors of the whole and of decode alone, each per output token of its own.

    Raises:
        NoFloorError: it is not known how large the key-value cache is.
    """
    kv_bytes = model.mean_kv_bytes(traffic.input_tokens, traffic.steps)
    if kv_bytes is None:
        raise NoFloorError("the engine does not say how large a token's keys and values are")
    step_j = _step_reference_j(machine, model, traffic, kv_bytes)
    prefill_j = _prefill_reference_j(machine, model, traffic)
    unavoidable_j = [
        machine.memory_j_per_byte * max(_least_bytes(model) + kv - _on_chip(machine), 0.0)
        for kv in (0.0, traffic.requests * kv_bytes)
    ]
    strict_j = unavoidable_j[1] / traffic.requests
    whole_strict_j = (unavoidable_j[0] / traffic.requests + traffic.steps * strict_j) / (
        traffic.output_tokens
    )
    whole_j = None
    if step_j is not None and prefill_j is not None:
        whole_j = (prefill_j + traffic.steps * step_j) / traffic.output_tokens
    has_decode = traffic.steps > 0
    return (whole_strict_j, whole_j), (strict_j, step_j) if has_decode else (None, None)


def least_times(machine: Machine, model: ModelShape, traffic: Traffic) -> tuple[float, float]:
    """Seconds that prefill and one decode step take at least.

    Both of as many requests as are served at once.

    Raises:
        NoFloorError: it is not known how large the key-value cache is.
    """
    kv_bytes = model.mean_kv_bytes(traffic.input_tokens, traffic.steps)
    if kv_bytes is None:
        raise NoFloorError("it is not known how large a token's keys and values are")
    batch, flops = _at_once(model, traffic), 2 * _active(model)
    prompts = batch * traffic.input_tokens
    return (
        machine.least_s(_touched_bytes(model, prompts), flops * prompts),
        machine.least_s(_touched_bytes(model, batch) + batch * kv_bytes, flops * batch),
    )


def _step_reference_j(
    machine: Machine, model: ModelShape, traffic: Traffic, kv_bytes: float
) -> float | None:
    """One request's token of a decode step."""
    batch, flops = _at_once(model, traffic), 2 * _active(model)
    weights = _touched_bytes(model, batch)
    least_s = machine.least_s(weights + batch * kv_bytes, flops * batch)
    static_j = machine.static_j(least_s)
    if static_j is None:
        return None
    moved_j = machine.memory_j_per_byte * (weights / batch + kv_bytes)
    return moved_j + flops * machine.flop_j + static_j / batch


def _prefill_reference_j(machine: Machine, model: ModelShape, traffic: Traffic) -> float | None:
    """One request's prefill."""
    batch = _at_once(model, traffic)
    weights = _touched_bytes(model, batch * traffic.input_tokens)
    flops = 2 * _active(model) * traffic.input_tokens
    static_j = machine.static_j(machine.least_s(weights, flops * batch))
    if static_j is None:
        return None
    moved_j = machine.memory_j_per_byte * weights / batch
    return moved_j + flops * machine.flop_j + static_j / batch


def _at_once(model: ModelShape, traffic: Traffic) -> int:
    return min(traffic.requests, model.most_requests or traffic.requests)


def _active(model: ModelShape) -> float:
    """Parameters that one token is multiplied with."""
    idle = model.expert_parameters * (1 - model.expert_share(1))
    return model.parameters - model.lookup_parameters - idle


def _touched_bytes(model: ModelShape, tokens: float) -> float:
    """Weights that a step over so many tokens is expected to read."""
    idle = model.expert_bytes * (1 - model.expert_share(tokens))
    return model.weight_bytes - model.lookup_bytes - idle


def _least_bytes(model: ModelShape) -> float:
    return _touched_bytes(model, 1)


def _on_chip(machine: Machine) -> float:
    return machine.count * machine.gpu.on_chip_bytes


def _against(measured_j: float | None, bounds: Bounds) -> dict[str, float | None]:
    strict_j, reference_j = bounds
    return {
        "strict_per_output_token_j": strict_j,
        "reference_per_output_token_j": reference_j,
        "times_reference": ratio(measured_j, reference_j),
    }
