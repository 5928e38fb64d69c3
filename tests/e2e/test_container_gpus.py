"""GPUs in real containers: each experiment sees those that it leased, and those are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from instruments.boxes import Boxed, boxed
from instruments.curves import Constant
from instruments.nvml_double import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., pytest.RunResult]
    Gpus = Callable[..., dict[str, str]]

WATTS = {"GPU-11e3a000": 700.0, "GPU-11e3b000": 100.0}
REGISTERED = Path("/run/cdi/pytest-llem-test.json")
SOURCE = """
import json, os, pathlib, time, pytest

FAST = {"windows": 2, "window_s": 0.4, "warmup_min_s": 0.1, "warmup_max_s": 1.0}

@pytest.mark.llem(measurement=FAST)
@pytest.mark.parametrize("n", range(2))
def test_it(energy, n):
    power_w = energy.measure(lambda: time.sleep(0.05)).power_w
    nodes = [node.name for node in pathlib.Path("/dev").glob("llem-*")]
    said = {"nodes": nodes, "visible": os.environ["CUDA_VISIBLE_DEVICES"], "power_w": power_w}
    pathlib.Path(f"said-{n}.json").write_text(json.dumps(said))
"""


@pytest.fixture
def box(gpus: Gpus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Boxed]:
    """Containers on a machine with two GPUs, registered for containers as nvidia-ctk does it."""
    found = boxed()
    if isinstance(found, str):
        pytest.skip(found)
    gpus(*(Gpu(curve=Constant(watts), uuid=uuid) for uuid, watts in WATTS.items()))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    try:
        REGISTERED.parent.mkdir(exist_ok=True)
        REGISTERED.write_text(json.dumps(registered()))
    except OSError as error:
        pytest.skip(f"devices cannot be registered for containers: {error}")
    yield found
    REGISTERED.unlink()


def registered() -> dict[str, Any]:
    """A specification of the Container Device Interface: a harmless device node for each GPU."""
    devices = [
        {
            "name": uuid,
            "containerEdits": {
                "deviceNodes": [{"path": f"/dev/llem-{uuid}", "type": "c", "major": 1, "minor": 3}]
            },
        }
        for uuid in WATTS
    ]
    return {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": devices}


def said() -> list[dict[str, Any]]:
    return [json.loads(Path(f"said-{n}.json").read_text()) for n in range(2)]


def test_all_visible_gpus_are_passed_on(run: Run, pytester: pytest.Pytester, box: Boxed) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    run(SOURCE, "--llem-isolation=container").assert_outcomes(passed=2)
    for one in said():
        assert one["visible"] == ",".join(WATTS)
        assert {f"llem-{uuid}" for uuid in WATTS} == {*one["nodes"]}


def test_several_workers_pass_on_the_gpu_that_each_has_leased(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    run(SOURCE, "--llem-isolation=container", "-n2").assert_outcomes(passed=2)
    for one in said():
        assert one["nodes"] == [f"llem-{one['visible']}"]
        assert one["power_w"] == pytest.approx(WATTS[one["visible"]], rel=0.02)


def test_a_gpu_that_the_runtime_does_not_know_is_named(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    REGISTERED.write_text(json.dumps({**registered(), "devices": registered()["devices"][:1]}))
    result = run(SOURCE, "--llem-isolation=container")
    result.assert_outcomes(errors=2)
    text = result.stdout.str()
    assert "nvidia.com/gpu=GPU-11e3b000" in text
    assert "nvidia-ctk cdi generate" in text
    assert "Traceback" not in text
