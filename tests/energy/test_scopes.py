"""Several scopes and meters read in the same windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.curves import Constant
from instruments.marked import measured_in
from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.energy.sampling.trace import UNPARTED, Trace
from pytest_llem.energy.scopes import HOLDS, headline
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.devices.meter import Method
    from pytest_llem.energy.measured import Measured

MS = 1_000_000
SECOND = 1_000_000_000
ORIGIN = 100 * SECOND
METHODS: dict[str, Method] = {"estimate": "estimated"}
SCOPES = st.sampled_from(sorted(HOLDS))


def trace_of(power_w: float, meter: str, scope: Any, uuid: str, *, until_s: int = 8) -> Trace:
    """An ideal instrument: a counter every 100 ms, polled every 10 ms."""
    method = METHODS.get(meter, "counter")
    trace = Trace(Device(uuid, "simulated", Capability(scope, method, 0.001, None)), meter)
    curve = Constant(power_w)
    for t in range(ORIGIN, ORIGIN + until_s * SECOND, 10 * MS):
        trace.before_ns.append(t)
        trace.energy_j.append(curve.energy_j(0, t - t % (100 * MS)))
        trace.power_w.append(math.nan)
        trace.between_ns.append(UNPARTED)
        trace.after_ns.append(t + 50_000)
    return trace


def measured(traces: Sequence[Trace]) -> Measured:
    """Two windows of a second each, of one pass with ten output tokens."""
    return measured_in(traces, [ORIGIN + 2 * SECOND, ORIGIN + 3 * SECOND], SECOND)


def test_scopes_have_figures_of_their_own_and_a_sum() -> None:
    found = measured(
        [
            trace_of(300, "nvml", "gpu", "a"),
            trace_of(100, "nvml", "gpu", "b"),
            trace_of(50, "rapl", "package", "p"),
            trace_of(10, "rapl", "dram", "d"),
        ]
    )
    assert found.power_w == pytest.approx(400, rel=1e-3)
    assert [one.power_w for one in found.beside] == [
        pytest.approx(50, rel=1e-3),
        pytest.approx(10, rel=1e-3),
    ]
    assert found.total is not None
    assert found.total.scopes == ("gpu", "package", "dram")
    assert found.total.meters == ("nvml", "rapl", "rapl")
    assert found.total.energy_per_output_token_j == pytest.approx(46, rel=1e-3)


@given(st.lists(SCOPES, min_size=1, max_size=5))
def test_what_is_added_never_holds_the_same_twice(scopes: list[str]) -> None:
    traces = [trace_of(100, f"m{i}", scope, f"d{i}") for i, scope in enumerate(scopes)]
    found = measured(traces)
    assert found.scope == scopes[0]
    if found.total is None:
        first = HOLDS[found.scope]
        assert all(first & HOLDS[one.scope] for one in found.beside)
    else:
        held = [part for scope in found.total.scopes for part in HOLDS[scope]]
        assert len(held) == len(set(held))
        assert found.total.power_w == pytest.approx(100 * len(found.total.scopes), rel=1e-3)


def swinging(means_w: Sequence[float], meter: str, scope: Any, uuid: str) -> Trace:
    """Another power in each second."""
    trace = trace_of(0.0, meter, scope, uuid, until_s=len(means_w))
    for number, t in enumerate(trace.before_ns):
        second, rest_ns = divmod(t - t % (100 * MS) - ORIGIN, SECOND)
        whole_j = math.fsum(means_w[:second])
        trace.energy_j[number] = whole_j + means_w[second] * rest_ns / SECOND
    return trace


def test_what_varies_alike_in_two_scopes_varies_as_much_in_their_sum() -> None:
    gpu_w, package_w = ([base + rise for rise in (0, 0, 0, 20, 0, 0)] for base in (300.0, 100.0))
    found = measured(
        [swinging(gpu_w, "nvml", "gpu", "a"), swinging(package_w, "rapl", "package", "p")]
    )
    (package,), total = found.beside, found.total
    assert total is not None
    assert None not in (found.energy_uncertainty_j, package.energy_uncertainty_j)
    apart_j = (found.energy_uncertainty_j or 0.0) + (package.energy_uncertainty_j or 0.0)
    assert total.energy_uncertainty_j == pytest.approx(apart_j, rel=0.01)


def test_windows_that_are_invalid_in_one_scope_are_not_in_the_sum() -> None:
    gpu = swinging([300, 300, 300, 400, 400, 400], "nvml", "gpu", "a")
    gpu.facts += [
        Facts(ORIGIN + s * SECOND + 1, foreign_processes=(7,) if s > 3 else ()) for s in range(8)
    ]
    package = swinging([100, 100, 100, 50, 50, 50], "rapl", "package", "p")
    found = measured([gpu, package])
    assert [one.valid for one in found.windows] == [True, False]
    assert found.total is not None
    assert found.total.energy_j == pytest.approx(400, rel=1e-3)
    assert found.total.power_w == pytest.approx(400, rel=1e-3)


def test_an_estimate_is_never_added() -> None:
    estimate = trace_of(20, "estimate", "process", "cpu")
    found = measured([trace_of(300, "nvml", "gpu", "a"), estimate])
    assert found.total is None
    assert found.beside[0].method == "estimated"


@pytest.mark.parametrize(("power_w", "said"), [(301.0, False), (330.0, True)])
def test_meters_that_contradict_each_other_are_named_with_both_figures(
    power_w: float, said: bool
) -> None:
    found = measured([trace_of(300, "nvml", "gpu", "a"), trace_of(power_w, "zeus", "gpu", "a")])
    told = [text for text in found.warnings if "nvml says 300 J" in text and "zeus 330 J" in text]
    assert bool(told) is said


def test_meters_that_contradict_each_other_about_a_package_are_named_too() -> None:
    read = [
        trace_of(power_w, meter, "package", f"{meter}:package-0")
        for meter, power_w in (("rapl", 100.0), ("zeus", 120.0))
    ]
    (said,) = measured(read).warnings
    assert "rapl says 100 J a pass and zeus 120 J of the same devices" in said
    memory = trace_of(120.0, "zeus", "dram", "zeus:package-0:dram")
    replayed = trace_of(120.0, "replay", "package", "replay:rapl:package-0")
    for other in (memory, replayed):
        assert not measured([read[0], other]).warnings


def test_a_scope_that_could_not_be_read_leaves_the_headline_alone() -> None:
    short = trace_of(50, "rapl", "package", "p", until_s=1)
    found = measured([trace_of(300, "nvml", "gpu", "a"), short])
    assert found.valid
    assert found.power_w == pytest.approx(300, rel=1e-3)
    assert found.beside[0].energy_j is None
    assert found.total is not None
    assert found.total.energy_j is None


def test_without_a_trace_there_is_no_headline() -> None:
    with pytest.raises(MeterError, match="nothing was read"):
        headline([])
