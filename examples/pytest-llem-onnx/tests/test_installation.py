"""Installed by pip into a fresh environment, the engine is there; before, it is not."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = """
import pytest

@pytest.mark.parametrize("batch_size", [1, 4])
def test_generation(energy, model, batch_size):
    measured = energy.measure(model)
    assert measured.energy_per_output_token_j > 0
"""
QUICK = (
    "--llem-meter=estimate",
    "--llem-set=input_tokens=32",
    "--llem-set=output_tokens=16",
    "--llem-set=measurement.windows=2",
    "--llem-set=measurement.window_s=0.2",
    "--llem-set=measurement.warmup_max_s=2",
)


def components(python: Path) -> dict[tuple[str, str], dict[str, Any]]:
    command = [str(python), "-m", "pytest_llem", "components", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {(one["kind"], one["name"]): one for one in json.loads(done.stdout)}


def test_an_experiment_runs_once_the_example_is_installed(
    bare: Path, tmp_path: Path, request: Any
) -> None:
    assert ("engines", "onnx") not in components(bare)
    installed = request.getfixturevalue("installed")
    listed = components(installed)["engines", "onnx"]
    assert (listed["distribution"], listed["version"]) == ("pytest-llem-onnx", "0.1.0")
    assert (listed["state"], listed["builtin"]) == ("available", False)

    (tmp_path / "test_it.py").write_text(EXPERIMENT)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    asked = ["--llem-backend=onnx", "--llem-set=onnx.intra_op_num_threads=1"]
    command = [str(installed), "-m", "pytest", "test_it.py", *asked, *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = [
        json.loads(path.read_text()) for path in tmp_path.glob(".llem/runs/*/results/*.json")
    ]
    assert len(results) == 2
    for result in results:
        assert result["outcome"] == "passed"
        assert result["config"]["backend"] == "onnx"
        assert result["config"]["engine_options"] == {"onnx": {"intra_op_num_threads": 1}}
        assert result["engine"]["engine"] == "onnx"
        assert result["engine"]["versions"]["onnxruntime-genai"].startswith("0.18")
        (measured,) = result["measurements"]
        assert measured["output_tokens"] % 16 == 0


def test_the_engine_passes_the_registry_s_checks(installed: Path) -> None:
    command = [str(installed), "-m", "pytest_llem", "components", "--check", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    states = {(one["kind"], one["name"]): one["state"] for one in json.loads(done.stdout)}
    assert states["engines", "onnx"] == states["sections", "onnx"] == "loaded"
