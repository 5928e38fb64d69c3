"""A result and its raw data, as an experiment on one GPU leaves them."""

from __future__ import annotations

from typing import Any

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.energy.marks import MeasurementMarks, Pass, WarmUp, WindowMark
from pytest_llem.energy.measured import Measured, Phase, WindowSample
from pytest_llem.energy.sampling.trace import Trace
from pytest_llem.results.raw import RawData
from pytest_llem.results.schema import DeviceFacts, ExperimentResult, Methodology

SECOND_NS = 1_000_000_000
GPU = Device(
    uuid="GPU-8f6e0a5c",
    name="Example 80GB",
    capability=Capability(scope="gpu", method="counter", resolution_j=0.001, update_period_s=None),
    index=0,
)
WARM_UP = WarmUp(start_ns=0, end_ns=SECOND_NS, passes=3, converged=True, reason="steady")


def sample(index: int) -> WindowSample:
    start_ns = (index + 1) * SECOND_NS
    return WindowSample(
        phase="whole",
        index=index,
        start_ns=start_ns,
        end_ns=start_ns + SECOND_NS,
        duration_s=1.0,
        passes=1,
        energy_j=100.1,
        energy_uncertainty_j=0.3,
        counter_energy_j=100.1,
        integrated_energy_j=None,
        power_w=100.1,
        requests=1,
        input_tokens=8,
        output_tokens=4,
        ttft_s=0.01,
        itl_s=None,
        temperature_c=41.0,
        sm_clock_mhz=1980.0,
        power_limit_w=700.0,
        throttle_reasons=(),
        valid=True,
        warnings=(),
    )


FIGURES: dict[str, Any] = {
    "energy_j": 100.1,
    "energy_uncertainty_j": 0.3,
    "power_w": 100.1,
    "duration_s": 1.0,
    "requests": 1,
    "input_tokens": 8,
    "output_tokens": 4,
    "energy_per_output_token_j": 25.025,
    "energy_per_output_token_uncertainty_j": 0.075,
    "energy_per_request_j": 100.1,
    "output_tokens_per_s": 4.0,
    "ttft_s": 0.01,
    "itl_s": None,
}
UNRESOLVED = Phase(**dict.fromkeys(FIGURES), method="unresolved", reason="too short")
MEASURED = Measured(
    **FIGURES,
    name="workload",
    meter="nvml",
    scope="gpu",
    method="counter",
    devices=(GPU.uuid,),
    prefill=UNRESOLVED,
    decode=UNRESOLVED,
    windows=(sample(0), sample(1)),
    warm_up=WARM_UP,
    steady_state_window=(SECOND_NS, 3 * SECOND_NS),
    valid=True,
    warnings=("the example is made up",),
)
RESULT = ExperimentResult(
    experiment_id="chat-0123456789abcdef",
    config_hash="0123456789abcdef",
    group="bench/test_chat.py::test_chat",
    label="float32-1",
    own_arguments={},
    node_id="bench/test_chat.py::test_chat[float32-1]",
    run_id="20261103T141502.123Z-abcdef",
    repeat=0,
    outcome="passed",
    message=None,
    started_at="2026-11-03T14:15:02.123+00:00",
    config=ExperimentConfig(),
    measurement_methodology=Methodology(
        meter="nvml",
        scope="gpu",
        method="counter",
        devices=(DeviceFacts(uuid=GPU.uuid, name=GPU.name, index=0, power_limit_w=700.0),),
        estimator="edges 1",
        declared_w_per_core=None,
    ),
    steady_state_window=(SECOND_NS, 3 * SECOND_NS),
    measurements=(MEASURED,),
    engine={"name": "transformers", "version": "5.0", "threads": 3},
)


def example_marks() -> MeasurementMarks:
    work = Pass(
        start_ns=SECOND_NS,
        end_ns=2 * SECOND_NS,
        requests=1,
        input_tokens=8,
        output_tokens=4,
        finish_reasons={"length": 1},
        latencies={"ttft": {-460: 1}, "itl": {-690: 2, -600: 1}},
    )
    window = WindowMark(
        phase="whole", index=0, start_ns=SECOND_NS, end_ns=2 * SECOND_NS, passes=(work,)
    )
    return MeasurementMarks(
        name="workload",
        kind="workload",
        warm_up=WARM_UP,
        windows=(window,),
        load_end_ns=3 * SECOND_NS,
        read_until_ns=4 * SECOND_NS,
    )


def example_raw(readings: int = 50) -> RawData:
    trace = Trace(device=GPU, meter="nvml")
    for number in range(readings):
        instant = number * SECOND_NS // 20
        power_w = None if number % 7 == 0 else 100.1
        parted_ns = instant + 400 if number % 5 else None
        trace.append(Reading(instant, instant + 1000, number * 5.005, power_w, parted_ns))
    trace.facts.append(Facts(0, temperature_c=41.0, throttle_reasons=("sw_power_cap",)))
    return RawData(traces=(trace,), marks=(example_marks(),))
