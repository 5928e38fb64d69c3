from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "pyarrow", "pydantic", "rich", "scipy", "torch", "transformers", "typer")


@pytest.mark.parametrize("module", ["terminal", "header", "progress", "junit", "failure"])
def test_reports_spare_the_pytest_process_heavy_imports(module: str) -> None:
    code = f"import sys, pytest_llem.reports.{module}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert not {name.partition(".")[0] for name in found} & set(HEAVY)
