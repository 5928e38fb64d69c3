from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.assignment import devices_for, interchangeable, showing
from pytest_llem.devices.estimate import cpu_estimate
from pytest_llem.devices.meter import Capability, Device
from pytest_llem.errors import ConfigError, MeterError

MIG = "GPU is in MIG mode: its slices share one sensor."
COUNTER = Capability("gpu", "counter", resolution_j=0.001, update_period_s=None)


def gpu(n: int, name: str = "H100", refusal: str | None = None) -> Device:
    return Device(f"GPU-{n:02d}aa-bbcc", name, COUNTER, index=n, refusal=refusal)


LIKE = [gpu(n) for n in range(4)]
UNLIKE = [gpu(0, "T4"), gpu(1, "H100"), gpu(2, "H100")]


def used(
    environ: dict[str, str] | None = None, gpus: list[Device] | None = None, **config: object
) -> list[int | None]:
    """NVML indices of the GPUs that are assigned."""
    experiment = ExperimentConfig.model_validate(config)
    assigned = devices_for(experiment, LIKE if gpus is None else gpus, environ or {})
    return [device.index for device in assigned]


def visible(text: str) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": text}


def test_one_gpu_unless_more_are_asked_for() -> None:
    assert used() == [0]
    assert used(device="cuda") == [0]
    assert used(backend="vllm", tensor_parallel_size=2) == [0, 1]
    assert used(backend="vllm", tensor_parallel_size=2, pipeline_parallel_size=2) == [0, 1, 2, 3]


def test_a_gpu_can_be_named_by_its_number() -> None:
    assert used(device="cuda:2") == [2]
    assert used(visible("3,1"), device="cuda:1") == [1]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("2", [2]),
        ("2,1", [2, 1]),
        (" 3 , 0 ", [3, 0]),
        ("0,2,-1,1", [0, 2]),
        ("0,9,1", [0]),
        ("GPU-02aa", [2]),
        ("GPU-03aa-bbcc,GPU-00", [3, 0]),
        ("GPU-03,GPU-9,GPU-00", [3]),
        ("GPU-0", []),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(text: str, seen: list[int]) -> None:
    if not seen:
        assert used(visible(text)) == []
    for count in range(1, len(seen) + 1):
        assert used(visible(text), backend="vllm", tensor_parallel_size=count) == seen[:count]
    with pytest.raises(ConfigError, match=rf"but {len(seen)} (is|are) visible"):
        used(visible(text), device="cuda", backend="vllm", tensor_parallel_size=len(seen) + 1)


@given(st.lists(st.integers(-3, 9), max_size=6, unique=True), st.integers(1, 4), st.booleans())
def test_an_experiment_never_gets_a_gpu_that_cuda_hides(
    indices: list[int], count: int, by_uuid: bool
) -> None:
    names = [f"GPU-{n:02d}" if by_uuid else str(n) for n in indices]
    shown: list[int] = []
    for index in indices:
        if not 0 <= index < len(LIKE):
            break
        shown.append(index)
    environ = visible(",".join(names))
    if count <= len(shown):
        assert used(environ, device="cuda", tensor_parallel_size=count) == shown[:count]
    else:
        with pytest.raises(ConfigError, match=rf"{len(shown)} (is|are) visible"):
            used(environ, device="cuda", tensor_parallel_size=count)


@given(st.text(alphabet="0123,-+ GPUMIaen", max_size=12))
def test_any_text_gives_gpus_or_a_clear_error(text: str) -> None:
    try:
        answer = str(used(visible(text)))
    except (ConfigError, MeterError) as error:
        answer = str(error)
    assert answer in {"[]", "[0]", "[1]", "[2]", "[3]"} or "CUDA_VISIBLE_DEVICES" in answer


@pytest.mark.parametrize("text", ["1gpu2", "0,GPU-01", "GPU-01,0", "0,1x"])
def test_a_list_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read for certain"):
        used(visible(text))


def test_a_gpu_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        used(visible("1,1"))
    with pytest.raises(ConfigError, match="twice"):
        used(visible("GPU-01,GPU-01aa"))


def test_too_few_visible_gpus_are_an_error_that_counts_them() -> None:
    with pytest.raises(ConfigError, match=r"needs 4 GPUs .*tensor_parallel_size 4.*2 are visible"):
        used(visible("0,1"), backend="vllm", tensor_parallel_size=4)
    with pytest.raises(ConfigError, match=r"needs cuda:3 .*1 is visible: CUDA_VISIBLE_DEVICES='2'"):
        used(visible("2"), device="cuda:3")
    with pytest.raises(ConfigError, match=r"needs 1 GPU .*0 are visible"):
        used(visible(""), device="cuda")


def test_unlike_gpus_are_not_guessed() -> None:
    with pytest.raises(ConfigError, match=r"unlike GPUs \(T4, H100\).*CUDA_DEVICE_ORDER"):
        used(gpus=UNLIKE)
    with pytest.raises(ConfigError, match="unlike GPUs"):
        used(visible("1"), gpus=UNLIKE)


def test_unlike_gpus_are_known_by_bus_order_by_uuid_or_all_together() -> None:
    by_bus = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert used(by_bus, gpus=UNLIKE) == [0]
    assert used(by_bus | visible("2"), gpus=UNLIKE) == [2]
    assert used(visible("GPU-01,GPU-00"), gpus=UNLIKE, device="cuda:1") == [0]
    assert used(gpus=UNLIKE, backend="vllm", tensor_parallel_size=3) == [0, 1, 2]


def test_a_gpu_that_must_not_be_measured_is_refused_when_it_is_used() -> None:
    with pytest.raises(MeterError, match="MIG mode"):
        used(gpus=[gpu(0, refusal=MIG)])
    mixed = [gpu(0, refusal=MIG), gpu(1)]
    assert used(visible("GPU-01"), gpus=mixed) == [1]
    with pytest.raises(ConfigError, match="Name GPUs by UUID"):
        used(visible("1"), gpus=mixed)
    with pytest.raises(MeterError, match="names a MIG slice"):
        used(visible("MIG-1234"), gpus=mixed)


def test_an_experiment_on_the_cpu_uses_no_gpu() -> None:
    assert used(device="cpu") == []
    assert used(transformers={"device_map": "cpu"}) == []


def test_an_estimate_covers_every_experiment() -> None:
    estimate = cpu_estimate()
    for device in ("auto", "cpu", "cuda:1"):
        assert devices_for(ExperimentConfig(device=device), [estimate], {}) == [estimate]


def test_a_device_map_spreads_the_model_over_all_that_is_visible() -> None:
    assert used(visible("1,3"), transformers={"device_map": "auto"}) == [1, 3]
    assert used(transformers={"device_map": "cuda:2"}) == [2]
    assert used(backend="vllm", transformers={"device_map": "auto"}) == [0]


def test_replicas_of_the_engines_own_section_count() -> None:
    vllm = {"extra": {"data_parallel_size": 2}}
    assert used(backend="vllm", vllm=vllm, tensor_parallel_size=2) == [0, 1, 2, 3]


def test_one_numbered_gpu_and_several_at_once_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match=r"'cuda:1' is one GPU, but .* asks for 2"):
        used(backend="vllm", device="cuda:1", tensor_parallel_size=2)


def test_a_device_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"device='gpu0' is no device. Write auto, cpu"):
        used(device="gpu0")


def pool(
    environ: dict[str, str] | None = None, gpus: list[Device] | None = None, **config: object
) -> tuple[list[int | None], int]:
    """NVML indices of the GPUs to choose from, and how many are chosen."""
    experiment = ExperimentConfig.model_validate(config)
    found, count = interchangeable(experiment, LIKE if gpus is None else gpus, environ or {})
    return [device.index for device in found], count


def test_any_visible_gpus_will_do_unless_some_are_named() -> None:
    assert pool() == ([0, 1, 2, 3], 1)
    assert pool(device="cuda", backend="vllm", tensor_parallel_size=2) == ([0, 1, 2, 3], 2)
    assert pool(visible("3,1")) == ([3, 1], 1)
    assert pool(device="cuda:1") == ([], 0)
    assert pool(transformers={"device_map": "auto"}) == ([], 0)
    assert pool(device="cpu") == ([], 0)
    assert pool(visible("")) == ([], 0)


def test_only_gpus_of_one_model_stand_for_each_other() -> None:
    by_bus = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert pool(by_bus, UNLIKE) == ([0], 1)
    assert pool(by_bus | visible("2,0,1"), UNLIKE) == ([2, 1], 1)
    assert pool(by_bus, UNLIKE, backend="vllm", tensor_parallel_size=2) == ([], 0)
    with pytest.raises(ConfigError, match="unlike GPUs"):
        pool(gpus=UNLIKE)


def test_what_cannot_be_measured_or_shown_alone_is_not_chosen() -> None:
    refused = [gpu(0), gpu(1, refusal=MIG), gpu(2)]
    assert pool(visible("GPU-00,GPU-01,GPU-02"), refused) == ([0, 2], 1)
    assert pool(gpus=[Device("pci-1", "A card", COUNTER), Device("pci-2", "A card", COUNTER)]) == (
        [],
        0,
    )
    estimate = [cpu_estimate()]
    assert interchangeable(ExperimentConfig(), estimate, {}) == ([], 0)


@given(st.permutations(range(4)), st.integers(1, 4), st.sampled_from(["GPU-", "AMD-"]))
def test_a_process_that_is_shown_some_gpus_is_assigned_those(
    order: list[int], count: int, vendor: str
) -> None:
    gpus = [Device(f"{vendor}{n}0-bb", "A card", COUNTER, index=n) for n in range(4)]
    chosen = [gpus[n] for n in order[:count]]
    before = {"CUDA_VISIBLE_DEVICES": "3,2,1,0"}
    for environ in ({}, before):
        shown = environ | showing(chosen, gpus, environ)
        config = ExperimentConfig(backend="vllm", device="cuda", tensor_parallel_size=count)
        assert devices_for(config, gpus, shown) == chosen
        if count < 4:
            more = ExperimentConfig(backend="vllm", device="cuda", tensor_parallel_size=count + 1)
            with pytest.raises(ConfigError, match=rf"{count} (is|are) visible"):
                devices_for(more, gpus, shown)


def test_programs_for_cuda_and_for_hip_are_told_the_same() -> None:
    gpus = [Device(f"AMD-{n}", "MI300X", COUNTER, index=n) for n in range(4)]
    chosen = [gpus[3], gpus[1]]
    assert showing(chosen, gpus, {}) == {"HIP_VISIBLE_DEVICES": "3,1"}
    assert showing(chosen, gpus, visible("0,1")) == {
        "HIP_VISIBLE_DEVICES": "3,1",
        "CUDA_VISIBLE_DEVICES": "3,1",
    }
