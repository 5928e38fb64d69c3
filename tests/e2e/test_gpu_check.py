"""Every check of ``make gpu-check``, over the driver double and a model on the CPU."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from instruments.curves import Sine, Square, Sum
from instruments.gpu import Gpu
from instruments.nvml_double import compiler, nvml_double
from instruments.programs import finished
from pytest_llem.results.parquet import read_parquet

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)"),
]
CHECKOUT = Path(__file__).parents[2]
CURVE = Sum(
    (
        Square(low_w=100.0, high_w=400.0, period_ns=730_000_000),
        Sine(middle_w=20.0, amplitude_w=3.0, period_ns=330_000_000),
    )
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a dry run leaves behind; its output in ``printed.txt`` beside it."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("gpu-check")
    environ = {
        **os.environ,
        **nvml_double(folder, [Gpu(curve=CURVE)]),
        "PYTHONPATH": f"{CHECKOUT / 'src'}{os.pathsep}{CHECKOUT / 'tests'}",
        "OUT": str(folder / "out"),
        "LLEM_CACHE_DIR": str(folder / "cache"),
        "OMP_NUM_THREADS": "2",
    }
    command = [sys.executable, "-m", "gpu", "--dry", "--load", "cpu"]
    done = finished(command, environ, directory=folder, timeout_s=240)
    (folder / "printed.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out"


@pytest.fixture
def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


def test_every_check_runs(summary: dict[str, Any]) -> None:
    assert list(summary["findings"]) == [
        "cost of a call",
        "tick",
        "counter under bursts",
        "sampling on / off",
        "A/A repeats",
        "models",
    ]
    outcomes = {one["outcome"] for one in summary["findings"].values()}
    assert outcomes <= {"found", "missed", "undecided"}, summary["findings"]


def test_the_tick_of_the_double_is_found(summary: dict[str, Any]) -> None:
    busy = summary["findings"]["tick"]["busy"]
    assert busy["counter"]["period_ms"] == pytest.approx(100.0, rel=0.02)
    assert busy["power"]["period_ms"] == pytest.approx(100.0, rel=0.02)
    assert busy["counter"]["quantum_mj"] == 1


def test_models_are_measured_and_held_against_the_reference(summary: dict[str, Any]) -> None:
    rows = summary["findings"]["models"]["rows"]
    assert [row["batch_size"] for row in rows] == [1, 2]
    for row in rows:
        assert row["valid"], row
        assert row["times_reference"] > 1
        assert row["reference_per_output_token_j"] > row["strict_per_output_token_j"]


def test_card_driver_and_day_are_written_and_no_host(summary: dict[str, Any]) -> None:
    about = summary["about"]
    assert about["gpu"] == "NVIDIA H100 80GB HBM3"
    assert about["driver"] == "580.65.06"
    assert about["cuda_of_driver"] == "13.0"
    assert len(about["date"]) == len("2026-01-01")
    assert os.uname().nodename not in json.dumps(summary)
    assert summary["dry"] is True


def test_the_files_are_few_small_and_can_be_read_again(out: Path) -> None:
    files = list(out.iterdir())
    assert len(files) <= 8
    assert all(path.stat().st_size < 16 * 2**20 for path in files)
    instrument = read_parquet(out, "instrument")
    assert len(instrument.traces) == 2
    assert all(len(trace) > 1000 for trace in instrument.traces)
    experiment = read_parquet(out, "experiment")
    assert len(experiment.marks) == 1
    assert experiment.marks[0].model is not None


def test_the_table_says_that_a_dry_run_means_nothing(out: Path) -> None:
    table = (out / "table.txt").read_text()
    assert "DRY:" in table
    assert "× reference" in table
    assert table.strip() in (out.parent / "printed.txt").read_text()
    assert max(map(len, table.splitlines())) <= 100
