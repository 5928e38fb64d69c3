"""``make gpu-check`` where there is no GPU, or not what it needs."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from gpu.present import absence
from instruments.nvml_double import LIBRARY, compiler, library, nvml_double, run_python
from instruments.programs import finished

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = "Nothing was checked, and nothing is claimed.\n"
without_driver = pytest.mark.skipif(absence() is None, reason="there is a GPU here")


def search_path(checkout: Path) -> str:
    """Where the check finds its own modules and ours."""
    return f"{checkout / 'src'}:{checkout / 'tests'}"


@without_driver
def test_without_a_gpu_it_says_so_and_succeeds(checkout: Path, tmp_path: Path) -> None:
    command = ["make", "--no-print-directory", "gpu-check", f"OUT={tmp_path / 'out'}"]
    done = finished(command, {**os.environ, "PYTHON": sys.executable}, directory=checkout)
    assert done.returncode == 0
    assert done.stdout.endswith(NOTHING)
    assert "no NVIDIA" in done.stdout
    assert not (tmp_path / "out").exists()


@without_driver
def test_no_package_is_needed_to_say_that_there_is_no_gpu(checkout: Path) -> None:
    """An interpreter without site packages, as one outside any environment."""
    done = finished([sys.executable, "-S", "-m", "gpu"], {"PYTHONPATH": search_path(checkout)})
    assert done.returncode == 0
    assert done.stdout.endswith(NOTHING)


@pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")
def test_a_driver_without_gpus_is_told_from_none(tmp_path: Path) -> None:
    environ = nvml_double(tmp_path, [])
    code = f"from gpu.present import absence; print(absence({str(library())!r}))"
    done = run_python(code, environ)
    assert not done.returncode, done.stderr
    assert done.stdout.strip() == "the NVIDIA driver lists no GPU"
    assert absence("no-such-" + LIBRARY) == "there is no NVIDIA driver"


@pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")
def test_with_a_gpu_a_missing_package_is_named(checkout: Path, tmp_path: Path) -> None:
    from instruments.curves import Constant
    from instruments.gpu import Gpu

    environ = nvml_double(tmp_path, [Gpu(curve=Constant(100.0))])
    command = [sys.executable, "-S", "-m", "gpu"]
    done = finished(command, {**environ, "PYTHONPATH": search_path(checkout)})
    assert done.returncode == 1
    assert "is missing from" in done.stderr
    assert "PYTHON=" in done.stderr


def test_the_script_takes_the_interpreter_that_sees_a_gpu(checkout: Path, tmp_path: Path) -> None:
    """Each stands for an interpreter: it says what it was asked, and whether it sees a GPU."""
    shutil.copytree(checkout / "scripts", tmp_path / "scripts")
    for folder, sees in (("own", 1), (".venv/bin", 1), ("path", 0)):
        (tmp_path / folder).mkdir(parents=True)
        name = "python3" if folder == "path" else "python"
        tool = tmp_path / folder / name
        tool.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {sees}\necho {folder} "$@" "$OUT"\n')
        tool.chmod(0o755)
    environ = {
        "PATH": f"{tmp_path / 'path'}:{os.environ['PATH']}",
        "PYTHON": str(tmp_path / "own/python"),
        "OUT": "there",
    }
    done = finished([tmp_path / "scripts/gpu-check.sh", "--budget", "60"], environ)
    assert not done.returncode, done.stderr
    assert done.stdout == "path -m gpu --budget 60 there\n"
