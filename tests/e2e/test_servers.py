"""Energy of a running server: that of the GPUs it was said to run on, while requests come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Square
from instruments.nvml_double import Gpu
from instruments.server_double import server_double

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

pytestmark = pytest.mark.alone
OPEN = """
import pytest

@pytest.mark.llem(
    backend="openai", input_tokens=8, output_tokens=16,
    device="{device}", openai={{"base_url": "{url}"}},
    traffic={{"rate_per_s": 40}},
    measurement={{"windows": 2, "window_s": 1.5, "warmup_min_s": 0.5, "idle_s": 0}},
)
def test_server(energy, model):
    energy.measure(model)
"""


@pytest.mark.parametrize("device", ["GPU-bbbb", "cuda:1"])
def test_energy_is_that_of_the_declared_gpu_over_the_load_window(
    run: Run, results: Results, gpus: Callable[..., None], device: str
) -> None:
    """Requests are as good as free: what is measured has to be the GPU's, whatever is served."""
    ours = Square(low_w=150.0, high_w=450.0, period_ns=400_000_000)
    gpus(
        Gpu(curve=Square(low_w=600.0, high_w=700.0, period_ns=70_000_000), uuid="GPU-aaaa"),
        Gpu(curve=ours, uuid="GPU-bbbb"),
    )
    with server_double(first_s=0.002, gap_s=0.001) as url:
        run(OPEN.format(url=url, device=device)).assert_outcomes(passed=1)
    (result,) = results()
    assert [one["uuid"] for one in result["measurement_methodology"]["devices"]] == ["GPU-bbbb"]
    (measured,) = result["measurements"]
    whole = [window for window in measured["windows"] if window["phase"] == "whole"]
    assert len(whole) == 2
    for window in whole:
        truth_j = ours.energy_j(window["start_ns"], window["end_ns"])
        assert window["energy_j"] == pytest.approx(truth_j, rel=0.03)
        assert window["requests"] == pytest.approx(40 * window["duration_s"], rel=0.5)
    assert measured["energy_per_request_j"] == pytest.approx(
        sum(w["energy_j"] for w in whole) / sum(w["requests"] for w in whole), rel=0.02
    )
