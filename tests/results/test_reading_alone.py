"""Raw data is read without threads, which Arrow would leave to an interpreter that ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path(__file__).parents[1] / "data/formats/raw.v1"
READ = {
    "store": """
from pytest_llem.results.parquet import read_parquet
def read(): return len(read_parquet(FILES, "chat").traces)
""",
    "replay": """
from pytest_llem.devices.recording import _table
def read(): return len(_table(FILES / "chat.trace.parquet", "trace")[0])
""",
}
COUNT = """
import os, pyarrow.compute, pyarrow.parquet
before = len(os.listdir("/proc/self/task"))
assert read()
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize("by", READ)
def test_no_thread_is_left_behind(by: str) -> None:
    code = f"from pathlib import Path\nFILES = Path({str(FILES)!r})\n{READ[by]}\n{COUNT}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
