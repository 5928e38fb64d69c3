"""A driver library with known power, for processes that are started with its environment.

``libnvidia-ml.so.1`` is compiled once per source (``nvml_double.c``) and found through
``LD_LIBRARY_PATH``, which the loader reads when a process starts: what is tested runs in
a subprocess.

    environ = nvml_double(tmp_path, [Gpu(curve=Constant(300.0))])
    subprocess.run([...], env=os.environ | environ)
    answer = run_json("print(json.dumps(...))", environ)
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instruments.refresh import Refresh

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instruments.curves import Curve

SOURCE = Path(__file__).with_name("nvml_double.c")
LIBRARY = "libnvidia-ml.so.1"
MILLISECOND_NS = 1_000_000
EVERY_100_MS = Refresh(period_ns=100 * MILLISECOND_NS)
COUNTER_ROUNDING = 1e-6
"""Of a step: what the double adds before it cuts a value off to whole steps."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU of the double; power fields default to an H100's (arXiv 2312.02741)."""

    curve: Curve
    uuid: str = "GPU-00000000-0000-4000-8000-000000000000"
    name: str = "NVIDIA H100 80GB HBM3"
    pci: str = "00000000:1B:00.0"
    origin_ns: int = 0
    """Where the energy counter starts to count; 0 is boot."""
    counter: Refresh = EVERY_100_MS
    counter_resolution_mj: int = 1
    counter_start_mj: int = 0
    """What the counter shows at its origin."""
    power: Refresh = EVERY_100_MS
    """Of ``nvmlDeviceGetPowerUsage``."""
    power_window_ns: int = 1000 * MILLISECOND_NS
    instant: Refresh = EVERY_100_MS
    """Of the field ``NVML_FI_DEV_POWER_INSTANT``."""
    instant_window_ns: int = 25 * MILLISECOND_NS
    delay_us: int = 0
    """How long a call takes; the value is that of its middle."""
    temperature_c: int = 41
    sm_clock_mhz: int = 1755
    max_sm_clock_mhz: int = 1980
    power_limit_mw: int = 700_000
    throttle: int = 0
    """Bits of the clock event reasons."""
    memory_total: int = 85_520_809_984
    memory_used: int = 1_073_741_824
    mig: int = 0
    persistence: int = 1
    ecc: int = 1
    lost_at_ns: int | None = None
    """From when on every call fails with GPU_IS_LOST; ``None`` is never."""
    lost_after_reads: int = 0
    """After so many reads of the energy counter every call fails likewise; 0 is never."""
    zero_every: int = 0
    """Every so manyth energy, and every so manyth power value is 0; 0 is never."""
    unsupported: tuple[str, ...] = ()
    """Of counter, power, instant, field_values, limit, throttle, event_reasons, temperature,
    sm_clock, mig, ecc, memory, pci, persistence."""

    def counter_mj(self, t_ns: int) -> int:
        """What the energy counter shows at *t_ns*, by the curve's own integral."""
        energy_mj = self.curve.energy_j(self.origin_ns, self.counter.last(t_ns)) * 1000
        steps = math.floor(energy_mj / self.counter_resolution_mj + COUNTER_ROUNDING)
        return self.counter_start_mj + steps * self.counter_resolution_mj

    def power_w(self, t_ns: int) -> float:
        """What ``nvmlDeviceGetPowerUsage`` shows at *t_ns*, before rounding to mW."""
        end_ns = self.power.last(t_ns)
        return self.curve.mean_w(end_ns - self.power_window_ns, end_ns)

    def instant_w(self, t_ns: int) -> float:
        """What the instant power field shows at *t_ns*, before rounding to mW."""
        end_ns = self.instant.last(t_ns)
        return self.curve.mean_w(end_ns - self.instant_window_ns, end_ns)

    def script(self) -> str:
        lines = [
            f"gpu {self.uuid}",
            f"name {self.name}",
            f"pci {self.pci}",
            self.curve.script(),
            f"counter_refresh {self.counter.script()}",
            f"power_refresh {self.power.script()}",
            f"instant_refresh {self.instant.script()}",
            *(f"{key} {getattr(self, key)}" for key in _NUMBERS),
        ]
        if self.lost_at_ns is not None:
            lines.append(f"lost_at_ns {self.lost_at_ns}")
        if self.unsupported:
            lines.append(f"unsupported {' '.join(self.unsupported)}")
        return "\n".join(lines) + "\n"


_NUMBERS = (
    "origin_ns",
    "counter_resolution_mj",
    "counter_start_mj",
    "power_window_ns",
    "instant_window_ns",
    "delay_us",
    "temperature_c",
    "sm_clock_mhz",
    "max_sm_clock_mhz",
    "power_limit_mw",
    "throttle",
    "memory_total",
    "memory_used",
    "mig",
    "persistence",
    "ecc",
    "zero_every",
    "lost_after_reads",
)


def nvml_double(
    directory: Path,
    gpus: Sequence[Gpu],
    *,
    driver: str = "580.65.06",
    cuda: int = 13000,
    init: int = 0,
) -> dict[str, str]:
    """Environment of a process for which *gpus* are all the GPUs of the machine.

    Args:
        directory: where the script is written; one machine per directory.
        gpus: in the order of NVML's indices.
        driver: version of the driver.
        cuda: CUDA version of the driver, 13000 for 13.0.
        init: return code of ``nvmlInit``; 0 is success.
    """
    script = directory / "nvml_double.txt"
    head = f"driver {driver}\nnvml 13.{driver}\ncuda {cuda}\ninit {init}\n"
    script.write_text(head + "".join(gpu.script() for gpu in gpus), encoding="utf-8")
    return {"LLEM_NVML_DOUBLE": str(script), "LD_LIBRARY_PATH": _search_path(library().parent)}


def library(cache: Path | None = None) -> Path:
    """The compiled double, built if this source has not been built before.

    Raises:
        RuntimeError: there is no C compiler, or it refuses the source.
    """
    folder = (cache or _default_cache()) / hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    built = folder / LIBRARY
    if not built.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compile(built)
    return built


def compiler() -> str | None:
    """Path of the C compiler, or ``None`` where there is none."""
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")


def run_python(code: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run *code* in a fresh interpreter that has *environ* over this one's, and ends in 60 s."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, "PYTHONPATH": path, **environ}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_json(code: str, environ: Mapping[str, str]) -> Any:
    """What *code* prints on its last line, as JSON.

    Raises:
        AssertionError: the code failed; the message is what it wrote to stderr.
    """
    done = run_python(code, environ)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _search_path(folder: Path) -> str:
    inherited = os.environ.get("LD_LIBRARY_PATH")
    return f"{folder}{os.pathsep}{inherited}" if inherited else str(folder)


def _default_cache() -> Path:
    return Path(tempfile.gettempdir()) / f"llem-nvml-double-{os.getuid()}"


def _compile(built: Path) -> None:
    cc = compiler()
    if cc is None:
        raise RuntimeError("no C compiler: install one (cc), or set CC")
    unfinished = built.with_name(f"{LIBRARY}.{os.getpid()}")
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden"]
    done = subprocess.run(
        [cc, *flags, str(SOURCE), "-o", str(unfinished), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{cc} could not compile {SOURCE.name}:\n{done.stderr}")
    unfinished.replace(built)
