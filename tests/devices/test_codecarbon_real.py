"""CodeCarbonMeter through the real CodeCarbon: bounds that its model cannot leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instruments.curves import Constant
from instruments.nvml_double import Gpu, compiler, nvml_double
from instruments.peers import run_beside_peers, shown_beside_peers

if TYPE_CHECKING:
    from pathlib import Path

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")
CODECARBON = """
from pytest_llem.devices.codecarbon import CodeCarbonMeter, assumptions
meter = CodeCarbonMeter()
"""
READ_A_WHILE = """
device, = meter.discover()
end = time.monotonic_ns() + 1_500_000_000
readings = []
while time.monotonic_ns() < end:
    readings.append(meter.read(device))
    time.sleep(0.04)
known = [reading for reading in readings if reading.energy_j is not None]
seconds = (known[-1].before_ns - known[0].before_ns) / 1e9
show([(known[-1].energy_j - known[0].energy_j) / seconds, assumptions().tdp_w, assumptions().ram_w])
"""
WITHOUT_DRIVER = {"LD_LIBRARY_PATH": ""}


def test_energy_is_in_joules_of_processor_and_memory() -> None:
    power_w, tdp_w, ram_w = shown_beside_peers(CODECARBON + READ_A_WHILE, WITHOUT_DRIVER)
    assert tdp_w > 0
    assert ram_w >= 3.0
    assert 0.1 * tdp_w + ram_w - 0.01 <= power_w <= tdp_w + ram_w + 0.01


@needs_compiler
def test_gpus_are_added_from_their_counters(tmp_path: Path) -> None:
    driver = nvml_double(
        tmp_path, [Gpu(curve=Constant(w), uuid=f"GPU-{w:g}") for w in (900.0, 2100.0)]
    )
    power_w, tdp_w, ram_w = shown_beside_peers(CODECARBON + READ_A_WHILE, driver)
    refreshes_w = 3000.0 * 0.2 / 1.2
    assert 3000.0 - refreshes_w <= power_w <= 3000.0 + tdp_w + ram_w + refreshes_w


@needs_compiler
def test_a_lost_gpu_is_not_counted_as_nothing(tmp_path: Path) -> None:
    code = """
device, = meter.discover()
meter.read(device)
open(os.environ["LLEM_TEST_NVML_DOUBLE"], "a").write("gpu GPU-l\\n error 15\\n")
time.sleep(0.3)
show(error(meter.read, device))
"""
    driver = nvml_double(tmp_path, [Gpu(curve=Constant(300.0), uuid="GPU-l")])
    assert "could not read the GPUs" in shown_beside_peers(CODECARBON + code, driver)


@needs_compiler
def test_one_lost_gpu_of_two_is_not_counted_as_nothing(tmp_path: Path) -> None:
    code = """
device, = meter.discover()
meter.read(device)
open(os.environ["LLEM_TEST_NVML_DOUBLE"], "a").write("gpu GPU-b\\n error 15\\n")
time.sleep(0.3)
show(error(meter.read, device))
"""
    gpus = [Gpu(curve=Constant(300.0), uuid=uuid) for uuid in ("GPU-a", "GPU-b")]
    said = shown_beside_peers(CODECARBON + code, nvml_double(tmp_path, gpus))
    assert "could not read the GPUs of index 1" in said


def test_nothing_is_sent_written_printed_or_logged(tmp_path: Path) -> None:
    code = """
import logging, pathlib, socket
logging.basicConfig(level=logging.DEBUG)
def refused(*arguments, **options):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
os.chdir(os.environ["HOME"])
choice = choose_meter(MeterRequest("codecarbon"))
opened = choice.open(None)
for _ in range(3):
    opened.read(choice.devices[0])
    time.sleep(0.25)
opened.close()
written = [str(path) for path in pathlib.Path(os.environ["HOME"]).rglob("*")]
assert not written, written
logging.getLogger("codecarbon").warning("its own again")
"""
    home = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = run_beside_peers(code, WITHOUT_DRIVER | home, "-W", "error")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.endswith("its own again")
