"""``llem doctor`` as a command: what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from instruments.curves import Constant
from instruments.good_machine import (
    GOOD,
    card,
    found,
)
from instruments.nvml_double import Gpu as Double
from instruments.nvml_double import compiler, nvml_double
from instruments.tenants import Process
from pytest_llem.reports.doctor import doctor_lines
from pytest_llem.results.diagnosis import Diagnosis
from pytest_llem.runs.doctor.meters import meter_states
from pytest_llem.runs.doctor.support import supported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.runs.doctor.seen import Seen

SCHEMA = Path(__file__).parents[2] / "schemas" / "diagnosis.v1.schema.json"


def diagnosis_of(seen: Seen) -> Diagnosis:
    return Diagnosis(
        tool_version="1.0",
        executable="/usr/bin/python",
        environment=seen.environment,
        findings=tuple(found(seen)),
        meters=meter_states(seen.nvidia),
        engines=(),
        support=supported(seen.environment, (), "linux-x86_64"),
    )


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("seen", [GOOD, card(mig=True, max_sm_clock_mhz=1980.0)])
def test_what_is_printed_fits_its_width(seen: Seen, width: int, unicode: bool) -> None:
    lines = doctor_lines(diagnosis_of(seen), width=width, unicode=unicode)
    assert max(map(len, lines)) <= width
    assert unicode or all(line.isascii() for line in lines)


def test_what_is_printed_says_what_was_found_and_how_to_mend_it() -> None:
    text = "\n".join(doctor_lines(diagnosis_of(card(persistence=False))))
    assert "GPU 0      NVIDIA H100 80GB HBM3, limit 700 of 700 W by default" in text
    assert "disturbs    GPU 0: persistence mode is off: off" in text
    assert "mend: sudo nvidia-smi -i GPU-1 -pm 1" in text
    assert "taken by auto; scope gpu, counter: 1 × NVIDIA H100 80GB HBM3" in text
    assert text.endswith("ready, with 1 that would disturb a measurement")
    assert "nothing that was looked for" in "\n".join(doctor_lines(diagnosis_of(GOOD)))
    assert "not ready: 1 to mend" in "\n".join(doctor_lines(diagnosis_of(card(mig=True))))


@pytest.fixture
def llem(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``llem`` in an empty project, with GPUs if there are to be any."""

    def llem(
        *arguments: str, gpus: Sequence[Double] | None = None, **of_driver: Any
    ) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "LLEM_POWERCAP": "/nowhere"}
        if gpus is not None:
            if compiler() is None:
                pytest.skip("no C compiler (cc)")
            environ |= nvml_double(tmp_path, list(gpus), **of_driver)
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-m", "pytest_llem", *arguments],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return llem


def test_the_command_tells_all_of_a_gpu_and_leaves_with_0_if_measuring_is_possible(
    llem: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    gpu = Double(
        curve=Constant(300.0),
        persistence=0,
        power_limit_mw=500_000,
        ecc_pending=0,
        pcie_width=4,
        temperature_c=85,
        processes=(Process(pid=os.getpid()),),
    )
    done = llem("doctor", "--json", gpus=[gpu])
    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(told)
    checks = {finding["check"] for finding in told["findings"]}
    expected = "persistence power_limit clocks ecc_pending pcie_width hot processes"
    assert {f"gpu.{name}" for name in expected.split()} <= checks
    assert told["meters"][0]["taken"]
    assert told["environment"]["gpus"][0]["max_power_limit_w"] == 700.0
    assert done.returncode == 0, done.stderr


def test_a_gpu_that_cannot_be_measured_makes_the_command_fail(
    llem: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = llem("doctor", gpus=[Double(curve=Constant(300.0), mig=1)])
    assert done.returncode == 1
    assert "impossible  GPU 0: MIG mode is on: on" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_driver_that_does_not_start_makes_the_command_fail(
    llem: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = llem("doctor", gpus=[], init=18)
    assert done.returncode == 1
    assert "impossible  the NVIDIA driver does not answer: NVML does not start" in done.stdout


def test_looking_a_machine_over_imports_no_engine_and_writes_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pytest_llem.runs.doctor import examine\n"
        "from pytest_llem.reports.doctor import doctor_lines\n"
        "doctor_lines(examine(Path()))\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.check_output(command, text=True, cwd=tmp_path).split()
    heavy = ("torch", "transformers", "vllm", "numpy", "scipy", "pyarrow", "zeus", "codecarbon")
    assert [name for name in loaded if name.partition(".")[0] in heavy] == []
    assert list(tmp_path.iterdir()) == []


def test_every_check_is_documented() -> None:
    root = Path(__file__).parents[2]
    docs = (root / "docs" / "doctor.md").read_text()
    sources = (root / "src" / "pytest_llem" / "runs" / "doctor").glob("*.py")
    checks = {
        check
        for source in sources
        for check in re.findall(r'check="([a-z._]+)"', source.read_text())
    }
    assert len(checks) > 25
    assert [check for check in sorted(checks) if f"`{check}`" not in docs] == []
