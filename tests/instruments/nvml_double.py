"""A driver library with known power, for processes that are started with its environment.

``libnvidia-ml.so.1`` is compiled once per source (``driver/``) and found through
``LD_LIBRARY_PATH``, which the loader reads when a process starts: what is tested runs in
a subprocess.

    environ = nvml_double(tmp_path, [Gpu(curve=Constant(300.0), uuid="GPU-…")])
    subprocess.run([...], env=os.environ | environ)
    answer = run_json("print(json.dumps(...))", environ)
    environ.add("GPU-…", Lost())  # while a process runs
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instruments.gpu import Gpu
from instruments.programs import finished, shown
from instruments.spelling import spell_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instruments.faults import Fault, Reset

__all__ = ["Driver", "Gpu", "compiler", "library", "nvml_double", "run_json", "run_python"]

SOURCES = Path(__file__).with_name("driver")
LIBRARY = "libnvidia-ml.so.1"


class Driver(dict[str, str]):
    """The environment of a process that has the double, and the script behind it."""

    def __init__(self, script: Path, head: str, origin_ns: int) -> None:
        search = {
            "LLEM_TEST_NVML_DOUBLE": str(script),
            "LD_LIBRARY_PATH": _search_path(library().parent),
        }
        super().__init__(search)
        self.script, self.origin_ns, self._head = script, origin_ns, head

    def write(self, gpus: Sequence[Gpu]) -> None:
        """Let these be the GPUs.

        Processes that run already see it within a few milliseconds, if the UUIDs stay
        the same. Counters are integrals of the curve: a curve with another past moves them.
        """
        said = "".join(gpu.script(self.origin_ns) for gpu in gpus)
        unfinished = self.script.with_suffix(".new")
        unfinished.write_text(self._head + said, encoding="utf-8")
        unfinished.replace(self.script)

    def add(self, uuid: str, *statements: str | Fault | Reset) -> None:
        """Say more about a GPU while processes run, such as that it is lost.

        A statement without an instant holds from the beginning, thus also now.
        """
        said = [s if isinstance(s, str) else s.script(self.origin_ns) for s in statements]
        with self.script.open("a", encoding="utf-8") as script:
            script.write("\n".join((f"gpu {uuid}", *said, "")))


def nvml_double(
    directory: Path,
    gpus: Sequence[Gpu],
    *,
    driver: str = "580.65.06",
    cuda: int = 13000,
    init: int = 0,
) -> Driver:
    """Environment of a process for which *gpus* are all the GPUs of the machine.

    Args:
        directory: where the script is written; one machine per directory.
        gpus: in the order of NVML's indices.
        driver: version of the driver.
        cuda: CUDA version of the driver, 13000 for 13.0.
        init: return code of ``nvmlInit``; 0 is success.
    """
    origin_ns = time.monotonic_ns()  # from where the script's times count
    head = (
        f"driver {driver}\nnvml 13.{driver}\ncuda {cuda}\ninit {init}\n"
        f"origin {spell_ns(origin_ns)}\n"
    )
    machine = Driver(directory / "nvml_double.txt", head, origin_ns)
    machine.write(gpus)
    return machine


def library(cache: Path | None = None) -> Path:
    """The compiled double, built if this source has not been built before.

    Raises:
        RuntimeError: there is no C compiler, or it refuses the source.
    """
    source = b"".join(file.read_bytes() for file in sorted(SOURCES.iterdir()))
    folder = (cache or _default_cache()) / hashlib.sha256(source).hexdigest()[:16]
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
    return finished([sys.executable, "-c", code], environment)


def run_json(code: str, environ: Mapping[str, str]) -> Any:
    """What *code* prints on its last line, as JSON.

    Raises:
        AssertionError: the code failed; the message is what it wrote to stderr.
    """
    return shown(run_python(code, environ))


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
    sources = sorted(str(file) for file in SOURCES.glob("*.c"))
    done = subprocess.run(
        [cc, *flags, *sources, "-o", str(unfinished), "-lm", "-pthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{cc} could not compile {SOURCES}:\n{done.stderr}")
    unfinished.replace(built)
