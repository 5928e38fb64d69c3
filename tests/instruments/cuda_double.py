"""A CUDA driver whose kernels take known times, for processes started with its environment.

Compiled once per source, and found through ``LD_LIBRARY_PATH``, beside the double of NVML.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from instruments.nvml_double import compiler

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).with_name("cuda_driver") / "cuda.c"
LIBRARY = "libcuda.so.1"


def cuda_double(
    directory: Path, environ: Mapping[str, str], *, compute_us: int = 3000, memory_us: int = 40
) -> dict[str, str]:
    """Variables for a process that has *environ*, so that it finds the double.

    Args:
        directory: where it is built.
        environ: with the ``LD_LIBRARY_PATH`` that is added to.
        compute_us: what a launch of the compute loop takes, in microseconds.
        memory_us: the same of the memory loop, which launches 64 times a pass.
    """
    built = directory / LIBRARY
    if not built.exists():
        flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{LIBRARY}"]
        command = [compiler() or "cc", *flags, str(SOURCE), "-o", str(built)]
        subprocess.run(command, check=True, capture_output=True)
    found = (str(directory), environ.get("LD_LIBRARY_PATH", ""))
    return {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, found)),
        "LLEM_TEST_CUDA_COMPUTE_US": str(compute_us),
        "LLEM_TEST_CUDA_MEMORY_US": str(memory_us),
    }
