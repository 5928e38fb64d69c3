"""What tokens would cost at least, and what measurements are held against."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.devices.meter import Capability, Device
from pytest_llem.energy.figures import UNKNOWN
from pytest_llem.energy.floor.accelerators import accelerator_named, accelerators
from pytest_llem.energy.floor.floor import Traffic, floor_of, floors, machine_of
from pytest_llem.energy.measured import Floor, Phase
from pytest_llem.energy.model_shape import ModelShape

H100 = "NVIDIA H100 80GB HBM3"
LLAMA_8B = ModelShape(
    parameters=8_030_261_248,
    weight_bytes=16_060_522_496,
    lookup_parameters=128_256 * 4096,
    lookup_bytes=128_256 * 4096 * 2,
    layers=32,
    kv_heads=8,
    head_dim=128,
    kv_value_bits=16,
    dtype="bfloat16",
)
"""Llama-3.1-8B in bfloat16, from its public configuration."""
MIXTURE = ModelShape(
    parameters=1_000_000_000,
    weight_bytes=2_000_000_000,
    expert_parameters=800_000_000,
    expert_bytes=1_600_000_000,
    experts=8,
    experts_per_token=2,
    layers=10,
    kv_heads=4,
    head_dim=64,
    kv_value_bits=16,
    dtype="bfloat16",
)
CHAT = (200, 717)
"""Input and output tokens taken for the leaderboard's chat task: 717 is the mean output over
models (https://ml.energy/blog, Diagnosing Inference Energy Consumption with the ML.ENERGY
Leaderboard v3.0); the length of inputs is not published and assumed."""
LEADERBOARD = {8: 0.4548, 64: 0.1186, 512: 0.0702}
"""Joules per output token by ``max_num_seqs``, prefill included: Llama-3.1-8B in bfloat16, chat,
one H100, vLLM 0.11.1; ML.ENERGY Leaderboard v3 (https://ml.energy/leaderboard)."""


def gpu(name: str = H100, scope: str = "gpu", uuid: str = "GPU-0") -> Device:
    return Device(uuid, name, Capability(scope, "counter", 0.001, None))  # type: ignore[arg-type]


def phase(energy_per_output_token_j: float | None = None) -> Phase:
    known = {"energy_per_output_token_j": energy_per_output_token_j}
    return Phase(**{**UNKNOWN, **known}, method="measured", reason="a test")


def floor(  # noqa: PLR0913 - a floor has that many inputs
    requests: int = 8,
    input_tokens: int = 200,
    output_tokens: int = 717,
    *,
    measured_j: float | None = None,
    decode_j: float | None = None,
    devices: tuple[Device, ...] = (gpu(),),
    model: ModelShape | None = LLAMA_8B,
    kind: str = "workload",
) -> Floor:
    figures = {
        "requests": requests,
        "input_tokens": requests * input_tokens,
        "output_tokens": requests * output_tokens,
        "energy_per_output_token_j": measured_j,
    }
    return floor_of(kind, figures, phase(decode_j), devices, model)


@pytest.mark.parametrize(("batch", "published_j"), LEADERBOARD.items())
def test_published_figures_lie_three_to_four_times_above_the_reference(
    batch: int, published_j: float
) -> None:
    found = floor(batch, *CHAT, measured_j=published_j)
    assert found.times_reference is not None
    assert 3.0 <= found.times_reference <= 3.7
    assert found.strict_per_output_token_j is not None
    assert found.reference_per_output_token_j is not None
    assert found.strict_per_output_token_j < found.reference_per_output_token_j


def test_a_decode_step_by_hand() -> None:
    """One request of Llama-3.1-8B after 1000 tokens, the formula worked out apart."""
    machine = machine_of([gpu()], LLAMA_8B)
    (_, _), (strict_j, reference_j) = floors(machine, LLAMA_8B, Traffic(1, 999, 2))
    weights = 16_060_522_496 - 128_256 * 4096 * 2
    cache = 2 * 32 * 8 * 128 * 2 * 1000
    seconds = (weights + cache) / 3.35e12
    memory_j = (weights + cache) * 8 * 3.9e-12
    compute_j = 2 * (8_030_261_248 - 128_256 * 4096) * 700 / 989e12
    assert reference_j == pytest.approx(memory_j + compute_j + 120 * seconds)
    on_chip = 50 * 2**20 + 132 * 512 * 2**10
    assert strict_j == pytest.approx((weights + cache - on_chip) * 8 * 3.9e-12)


def test_a_large_batch_is_bound_by_arithmetic() -> None:
    """Then the static power lasts as long as the arithmetic, and no longer."""
    machine = machine_of([gpu()], LLAMA_8B)
    (_, _), (_, few) = floors(machine, LLAMA_8B, Traffic(4000, 1, 3))
    (_, _), (_, many) = floors(machine, LLAMA_8B, Traffic(8000, 1, 3))
    assert few is not None
    assert many is not None
    weights_j = 8 * 3.9e-12 * (16_060_522_496 - 128_256 * 4096 * 2)
    assert few - many == pytest.approx(weights_j / 8000, rel=1e-6)


def test_prefill_is_part_of_the_whole_and_not_of_decode() -> None:
    longer = floor(input_tokens=4000, output_tokens=8)
    assert longer.decode is not None
    assert longer.reference_per_output_token_j is not None
    assert longer.decode.reference_per_output_token_j is not None
    per_token_j = 2 * (8_030_261_248 - 128_256 * 4096) * 700 / 989e12
    assert longer.reference_per_output_token_j > 4000 / 8 * per_token_j
    assert longer.decode.reference_per_output_token_j < 0.3


def test_decode_is_held_against_its_own_reference() -> None:
    found = floor(measured_j=1.0, decode_j=0.5)
    assert found.decode is not None
    assert found.decode.reference_per_output_token_j is not None
    assert found.decode.times_reference == pytest.approx(
        0.5 / found.decode.reference_per_output_token_j
    )


def test_one_output_token_leaves_no_decode_to_bound() -> None:
    found = floor(output_tokens=1)
    assert found.decode is not None
    assert found.decode.reference_per_output_token_j is None
    assert found.reference_per_output_token_j is not None


def test_a_model_that_fits_on_the_chip_costs_no_memory_traffic() -> None:
    tiny = LLAMA_8B.model_copy(
        update={"parameters": 5_800_000, "weight_bytes": 11_600_000, "lookup_bytes": 1_000_000}
    )
    tiny = tiny.model_copy(update={"lookup_parameters": 500_000, "layers": 1, "kv_heads": 1})
    found = floor(requests=1, model=tiny)
    assert found.strict_per_output_token_j == 0.0
    assert found.reference_per_output_token_j is not None
    assert found.reference_per_output_token_j > 0


def test_more_requests_hit_more_experts() -> None:
    assert MIXTURE.expert_share(1) == pytest.approx(0.25)
    assert MIXTURE.expert_share(64) == pytest.approx(1.0, abs=1e-6)
    one, many = floor(1, model=MIXTURE), floor(64, model=MIXTURE)
    assert one.strict_per_output_token_j is not None
    assert many.strict_per_output_token_j is not None
    machine = machine_of([gpu()], MIXTURE)
    touched = 400e6 + 1600e6 / 4 + 2 * 10 * 4 * 64 * 2 * (200 + 717 / 2)
    expected_j = 8 * 3.9e-12 * (touched - machine.gpu.on_chip_bytes)
    assert one.decode is not None
    assert one.decode.strict_per_output_token_j == pytest.approx(expected_j)


def test_an_engine_that_serves_few_at_once_reads_its_weights_more_often() -> None:
    limited = LLAMA_8B.model_copy(update={"most_requests": 8})
    assert floor(64, model=limited).reference_per_output_token_j == pytest.approx(
        floor(8).reference_per_output_token_j
    )
    free = floor(64)
    assert floor(64, model=limited).strict_per_output_token_j == free.strict_per_output_token_j


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 600))
def test_the_cache_of_a_generation_is_the_mean_over_its_steps(
    input_tokens: int, steps: int, window: int
) -> None:
    sliding = LLAMA_8B.model_copy(update={"sliding_layers": 20, "sliding_window": window})
    each = [sliding.kv_bytes(input_tokens + step + 1) for step in range(steps)]
    mean = sum(one or 0.0 for one in each) / steps
    assert sliding.mean_kv_bytes(input_tokens, steps) == pytest.approx(mean)


def test_a_window_that_fills_while_tokens_are_made_is_not_taken_for_full() -> None:
    sliding = LLAMA_8B.model_copy(update={"sliding_layers": 32, "sliding_window": 1000})
    found = floor(64, 500, 1001, model=sliding)
    mean = (sum(range(501, 1001)) + 500 * 1000) / 1000
    moved = 16_060_522_496 - 128_256 * 4096 * 2 - 121_634_816 + 64 * mean * 2 * 32 * 8 * 128 * 2
    assert found.decode is not None
    assert found.decode.strict_per_output_token_j == pytest.approx(8 * 3.9e-12 * moved / 64)


def test_sliding_windows_bound_the_cache() -> None:
    sliding = LLAMA_8B.model_copy(update={"sliding_layers": 16, "sliding_window": 100})
    full, half = LLAMA_8B.kv_bytes(1000), sliding.kv_bytes(1000)
    assert full is not None
    assert half == pytest.approx(full * 0.55)
    assert sliding.kv_bytes(50) == LLAMA_8B.kv_bytes(50)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"devices": (gpu(scope="process"),)}, "no accelerator was measured"),
        ({"devices": (gpu("NVIDIA T1000"),)}, "no constants are known for 'NVIDIA T1000'"),
        ({"devices": (gpu(), gpu("NVIDIA L4"))}, "of different kinds: NVIDIA H100"),
        ({"model": None}, "does not say how large the model is"),
        ({"kind": "callable"}, "not the workload of a model"),
        (
            {"model": LLAMA_8B.model_copy(update={"layers": None})},
            "does not say how large a token's keys and values are",
        ),
        ({"model": LLAMA_8B.model_copy(update={"dtype": "int7"})}, "no peak is known"),
        ({"model": LLAMA_8B.model_copy(update={"kv_heads": -8})}, "contradicts itself"),
        ({"model": LLAMA_8B.model_copy(update={"lookup_bytes": 10**12})}, "contradicts itself"),
        ({"output_tokens": 0}, "the work of a pass is not known"),
    ],
)
def test_where_there_is_no_floor_the_reason_is_said(changes: dict[str, Any], reason: str) -> None:
    found = floor(**changes)
    assert reason in found.reason
    assert found.model_dump(exclude={"reason"}) == {
        "strict_per_output_token_j": None,
        "reference_per_output_token_j": None,
        "times_reference": None,
        "decode": None,
    }


def test_without_static_power_only_the_strict_bound_is_given() -> None:
    found = floor(devices=(gpu("NVIDIA H100 PCIe"),), measured_j=1.0)
    assert found.strict_per_output_token_j is not None
    assert found.reference_per_output_token_j is None
    assert found.times_reference is None
    assert "static power" in found.reason


@given(
    name=st.sampled_from([name for name, one in accelerators().items() if one.static_power_w]),
    count=st.sampled_from([1, 2, 8]),
    batch=st.integers(1, 4096),
    inputs=st.integers(1, 20_000),
    outputs=st.integers(1, 20_000),
)
def test_the_strict_bound_is_below_the_reference_everywhere(
    name: str, count: int, batch: int, inputs: int, outputs: int
) -> None:
    devices = tuple(gpu(name, uuid=f"GPU-{i}") for i in range(count))
    found = floor(batch, inputs, outputs, devices=devices)
    assert found.strict_per_output_token_j is not None
    assert found.reference_per_output_token_j is not None
    assert 0 <= found.strict_per_output_token_j <= found.reference_per_output_token_j


COUNTS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 100)


@given(st.data())
def test_no_account_of_a_model_breaks_the_figures(data: st.DataObject) -> None:
    said = {
        name: data.draw(COUNTS if name in {"parameters", "weight_bytes"} else COUNTS | st.none())
        for name in ModelShape.model_fields
        if name != "dtype"
    }
    known = {name: value for name, value in said.items() if value is not None}
    model = ModelShape.model_validate({**known, "dtype": "bfloat16"})
    found = floor(data.draw(st.integers(1, 10**6)), model=model, measured_j=1.0)
    assert found.reason


def test_the_table_is_one_of_physical_cards() -> None:
    for name, card in accelerators().items():
        picojoules = card.power_limit_w / card.flop_per_s["bfloat16"] * 1e12
        assert 0.3 < picojoules < 1.4, name
        busy_w = 8e-12 * card.memory_pj_per_bit * card.bandwidth_bytes_per_s
        assert busy_w < card.power_limit_w / 2, name
        assert (card.static_power_w or 0) < card.power_limit_w / 2, name
    assert accelerator_named("NVIDIA H100 80GB HBM3 ") is not None
    assert accelerator_named("H100") is None


@pytest.mark.parametrize("description", [None, {}, {"shape": None}, {"shape": {"parameters": "x"}}])
def test_an_engine_that_says_nothing_usable_gives_no_shape(
    description: dict[str, Any] | None,
) -> None:
    assert ModelShape.of(description) is None


def test_a_shape_survives_what_a_later_engine_adds() -> None:
    said = {"shape": {**LLAMA_8B.model_dump(), "attention": "sparse"}}
    assert ModelShape.of(said) == LLAMA_8B
