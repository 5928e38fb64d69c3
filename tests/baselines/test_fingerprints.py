"""What must be equal, and what may differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.differences import compare_fingerprints
from pytest_llem.baselines.fingerprint import fingerprint
from pytest_llem.baselines.hardware import hardware_class
from pytest_llem.errors import BaselineError
from pytest_llem.results.schema import DeviceFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.baselines.differences import Differences
    from pytest_llem.energy.measured import Measured, WindowSample
    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]

A100 = (DeviceFacts(uuid="GPU-a", name="NVIDIA A100", index=0, power_limit_w=700.0),)
CAPPED = (DeviceFacts(uuid="GPU-a", name="NVIDIA H100 80GB HBM3", index=0, power_limit_w=500.0),)
OTHER_CARD = (
    DeviceFacts(uuid="GPU-b", name="NVIDIA H100 80GB HBM3", index=0, power_limit_w=700.0),
)
ESTIMATE = {
    "meter": "estimate",
    "scope": "process",
    "method": "estimated",
    "devices": (DeviceFacts(uuid="cpu", name="AMD EPYC 9554", index=None, power_limit_w=None),),
    "declared_w_per_core": 8.0,
}


@pytest.fixture
def differ(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> Callable[..., Differences]:
    def compare(
        result: dict[str, Any] | None = None,
        environment: dict[str, Any] | None = None,
        both: dict[str, Any] | None = None,
    ) -> Differences:
        before = fingerprint(make_result(**(both or {})), make_environment())
        after = fingerprint(
            make_result(**{**(both or {}), **(result or {})}),
            make_environment(**(environment or {})),
        )
        return compare_fingerprints(before, after)

    return compare


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"methodology": {"devices": A100}}, "device NVIDIA H100 80GB HBM3 → NVIDIA A100"),
        ({"methodology": {"devices": A100 * 2}}, "→ NVIDIA A100 + NVIDIA A100"),
        ({"methodology": {"devices": CAPPED}}, "power limit 700 W → 500 W"),
        ({"methodology": {"scope": "module"}}, "scope gpu → module"),
        ({"methodology": {"method": "integrated"}}, "method counter → integrated"),
        (
            {"methodology": {"estimator": "trapezoid 1"}},
            "window estimator refresh-edges → trapezoid",
        ),
        ({"methodology": {"meter": "zeus"}}, "meter nvml → zeus"),
        ({"methodology": {"shared": True}}, "devices used alone → shared with others"),
        ({"config": {"backend": "vllm"}}, "engine transformers → vllm"),
        ({"measured": {"output_tokens": 32}}, "output tokens per pass of 'workload' 64 → 32"),
        ({"measured": {"input_tokens": None}}, "input tokens per pass of 'workload' 128 → unknown"),
        ({"measured": {"requests": 8}}, "requests per pass of 'workload' 1 → 8"),
        ({"engine": {"device_type": "cuda"}}, "kind of device unknown → cuda"),
    ],
)
def test_what_changes_the_meaning_of_a_figure_forbids_a_comparison(
    differ: Callable[..., Differences], result: dict[str, Any], said: str
) -> None:
    assert any(said in reason for reason in differ(result).refuse)


def test_other_prompts_forbid_a_comparison_where_both_sides_know_theirs(
    differ: Callable[..., Differences],
) -> None:
    facts = {"source": "datasets", "requests": 1, "turns": 1, "input_tokens": 128}
    facts |= {"output_tokens": 64, "input_lengths": None, "output_lengths": None}
    one, other = ({"workload": {**facts, "hash": text}} for text in ("aa", "bb"))
    assert differ(one, both=one).refuse == []
    assert differ(one).refuse == []  # a baseline of before
    assert differ(other, both=one).refuse == ["prompts and output lengths, by their hash, aa → bb"]


def test_figures_of_shared_devices_compare_with_each_other(
    differ: Callable[..., Differences],
) -> None:
    assert differ(both={"methodology": {"shared": True}}).refuse == []
    apart = differ({"methodology": {"shared": False}}, both={"methodology": {"shared": True}})
    assert any("(--llem-allow-shared) → used alone" in reason for reason in apart.refuse)


@pytest.mark.parametrize(
    ("result", "environment", "said"),
    [
        (
            {},
            {"packages": {"torch": "2.13.0", "transformers": "5.23.0"}},
            "transformers 5.22.0 → 5.23.0",
        ),
        ({}, {"packages": {"torch": "2.13.0"}}, "transformers 5.22.0 → absent"),
        (
            {},
            {"git": {"commit": "fedcba9876543210", "dirty": True}},
            "commit 012345678 → fedcba987+dirty",
        ),
        ({}, {"git": None}, "commit 012345678 → unknown"),
        ({}, {"driver_version": "550.90.07"}, "driver 550.54.15 → 550.90.07"),
        ({}, {"python": "CPython 3.12.1"}, "python CPython 3.11.7 → CPython 3.12.1"),
        ({}, {"os": "Ubuntu 24.04"}, "os Debian GNU/Linux 12 → Ubuntu 24.04"),
        ({}, {"cpu_model": "Xeon"}, "CPU AMD EPYC 9554 → Xeon"),
        ({"methodology": {"devices": OTHER_CARD}}, {}, "another card of the same model"),
        ({"engine": {"versions": {"torch": "2.14.0+cu130"}}}, {}, "torch 2.13.0 → 2.14.0+cu130"),
        ({"engine": {"attn_implementation": "eager"}}, {}, "attn_implementation unknown → eager"),
        ({"methodology": {"estimator": "refresh-edges 2"}}, {}, None),
        (
            {},
            {"packages": {"torch": "2.13.0", "transformers": "5.22.0", "pytest-xdist": "9"}},
            None,
        ),
    ],
)
def test_what_is_under_test_may_differ_and_is_named(
    differ: Callable[..., Differences],
    result: dict[str, Any],
    environment: dict[str, Any],
    said: str | None,
) -> None:
    differences = differ(result, environment)
    assert differences.refuse == []
    assert differences.differ == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("version", "refused"),
    [("525.60.13", True), ("530.30.02", False), ("570.1", False), (None, True)],
)
def test_drivers_are_told_apart_where_the_meaning_of_power_changed(
    differ: Callable[..., Differences], version: str | None, *, refused: bool
) -> None:
    assert bool(differ({}, {"driver_version": version}).refuse) is refused


@pytest.mark.parametrize(
    ("result", "environment", "said"),
    [
        ({}, {"cpu_model": "Xeon"}, "CPU AMD EPYC 9554 → Xeon"),
        ({}, {"threads": 4}, "threads 8 → 4"),
        ({"engine": {"threads": 3}}, {}, "threads 8 → 3"),
        (
            {"methodology": {**ESTIMATE, "declared_w_per_core": 9.0}},
            {},
            "declared watts per core 8.0 → 9.0",
        ),
        ({"methodology": {}}, {}, "method estimated → counter"),
    ],
)
def test_an_estimate_only_compares_with_one_made_the_same_way(
    differ: Callable[..., Differences],
    result: dict[str, Any],
    environment: dict[str, Any],
    said: str,
) -> None:
    assert said in differ(result, environment, {"methodology": ESTIMATE}).refuse


def test_a_driver_means_nothing_to_an_estimate(differ: Callable[..., Differences]) -> None:
    found = differ({}, {"driver_version": "525.1"}, {"methodology": ESTIMATE})
    assert found.refuse == []


def test_fewer_finished_requests_forbid_a_comparison(
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    make_measurement: Callable[..., Measured],
    make_window: Callable[..., WindowSample],
) -> None:
    stopped = make_measurement(
        [0.4], windows=(make_window(0.4, finish_reasons={"length": 3, "stop": 1}),)
    )
    prints = [
        fingerprint(result, make_environment())
        for result in (make_result(), make_result(measurements=(stopped,)))
    ]
    (reason,) = compare_fingerprints(*prints).refuse
    assert reason == "finish reasons per pass of 'workload' 1 length → 0.75 length, 0.25 stop"


def test_finish_reasons_that_nobody_recorded_are_not_compared(
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    make_measurement: Callable[..., Measured],
    make_window: Callable[..., WindowSample],
) -> None:
    silent = make_measurement([0.4], windows=(make_window(0.4, finish_reasons=None),))
    prints = [
        fingerprint(result, make_environment())
        for result in (make_result(), make_result(measurements=(silent,)))
    ]
    assert compare_fingerprints(*prints).refuse == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "failed", "message": "assert 5 < 4\nmore"}, "it failed: assert 5 < 4."),
        ({"outcome": "crashed"}, "it crashed"),
        ({"outcome": "timed_out"}, "it timed out"),
        ({"measurement_methodology": None, "measurements": ()}, "nothing was measured"),
        (
            {"measured": {"valid": False, "warnings": ("power limit changed",)}},
            "power limit changed",
        ),
    ],
)
def test_a_result_that_shows_nothing_has_no_fingerprint(
    make_result: MakeResult, make_environment: MakeEnvironment, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BaselineError, match=said):
        fingerprint(make_result(**changes), make_environment())


@pytest.mark.parametrize("engine", [{"threads": "many"}, {"device_type": 3}])
def test_an_engine_that_says_nonsense_cannot_be_compared(
    make_result: MakeResult, make_environment: MakeEnvironment, engine: dict[str, Any]
) -> None:
    (field,) = engine
    with pytest.raises(BaselineError, match=f"cannot be compared: its {field}"):
        fingerprint(make_result(engine=engine), make_environment())


def test_versions_that_are_none_are_passed_over(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    assert fingerprint(make_result(engine={"versions": [1]}), make_environment()).packages


def test_a_fingerprint_names_no_place_on_this_machine(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    engine = {"model": {"name": "chat", "path_or_id": "/home/me/models/chat", "sha256": "ab"}}
    made = fingerprint(make_result(engine=engine), make_environment())
    assert made.engine == {"model.name": "chat", "model.sha256": "ab"}


@pytest.mark.parametrize(
    ("methodology", "expected"),
    [
        ({}, "nvidia-h100-80gb-hbm3-x1"),
        ({"devices": CAPPED * 4}, "nvidia-h100-80gb-hbm3-x4"),
        ({"devices": CAPPED + A100}, "nvidia-a100-x1-nvidia-h100-80gb-hbm3-x1"),
        (ESTIMATE, "cpu-estimate-amd-epyc-9554"),
    ],
)
def test_hardware_has_a_name_that_fits_a_file(
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    methodology: dict[str, Any],
    expected: str,
) -> None:
    result = make_result(methodology=methodology)
    assert hardware_class(result, make_environment()) == expected


def test_hardware_without_a_name_still_has_a_file(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    result = make_result(methodology=ESTIMATE)
    assert hardware_class(result, make_environment(cpu_model=None)) == "cpu-estimate-unknown"
    with pytest.raises(BaselineError, match="nothing was measured"):
        hardware_class(make_result(measurement_methodology=None), make_environment())


def test_what_ran_elsewhere_is_told_by_the_software_there(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    there = {
        "executable": "/venv/bin/python",
        "python": "CPython 3.12.1",
        "os": "Ubuntu 24.04",
        "packages": {"torch": "2.14.0", "vllm": "0.33.0"},
    }
    environment = make_environment()
    other_python = fingerprint(make_result(elsewhere=there), environment)
    assert (other_python.python, other_python.packages) == (there["python"], there["packages"])
    assert (other_python.os, other_python.container) == (environment["os"], False)
    contained = fingerprint(make_result(elsewhere={**there, "image": "vllm:1"}), environment)
    assert (contained.os, contained.container) == ("Ubuntu 24.04", True)


@pytest.mark.parametrize(
    ("now", "refuse"),
    [
        ((80, 62, 86), ()),
        ((200, 190, 210), ("output tokens per pass of 'workload' 73 → 200",)),
    ],
)
def test_tokens_of_drawn_lengths_are_compared_as_far_as_windows_tell(
    differ: Callable[..., Differences],
    make_window: Callable[..., WindowSample],
    now: tuple[int, ...],
    refuse: tuple[str, ...],
) -> None:
    """Passes of traffic are not the same work each, and a run never has the same again."""

    def measured(tokens: tuple[int, ...]) -> dict[str, Any]:
        windows = tuple(
            make_window(0.4, index=index, passes=4, output_tokens=4 * own)
            for index, own in enumerate(tokens)
        )
        return {"windows": windows, "output_tokens": round(sum(tokens) / len(tokens))}

    found = differ({"measured": measured(now)}, both={"measured": measured((60, 90, 70))})
    assert tuple(found.refuse) == refuse
