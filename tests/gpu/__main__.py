"""``make gpu-check``: what a real card says of the assumptions that this project makes.

``PYTHONPATH=src:tests python -m gpu --out FOLDER``. Needs a GPU, PyTorch with CUDA, and the
project's own small dependencies; transformers and accelerate for the checks that load a model.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu.present import absence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu.checks import Bench, Plan
    from pytest_llem.devices.meter import Device
    from pytest_llem.devices.nvml.meter import NvmlMeter

NO_GPU = "gpu-check: {why} on this machine. Nothing was checked, and nothing is claimed."


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("gpu-check", description="Checks on a real GPU.")
    parser.add_argument(
        "--out",
        default=os.environ.get("OUT"),
        help="folder for summary and traces (default: OUT, else .llem/gpu-check/<card>-<day>)",
    )
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="limit of time")
    parser.add_argument("--load", default="cuda:0", help="torch device of the load")
    parser.add_argument("--dry", action="store_true", help="tiny durations, to try the checks")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """0 also where there is no GPU; 1 if a check broke, missed what is wanted, or cannot start."""
    asked = arguments(words)
    why = absence()
    if why is not None:
        print(NO_GPU.format(why=why))
        return 0
    try:
        return check(asked)
    except ModuleNotFoundError as error:
        print(
            f"gpu-check: {error.name} is missing from {sys.executable}. Install the project's "
            "dependencies into it (pip install nvidia-ml-py psutil pyarrow pydantic pytest scipy), "
            "or name an interpreter that has them: PYTHON=... make gpu-check",
            file=sys.stderr,
        )
        return 1


def check(asked: argparse.Namespace) -> int:
    from dataclasses import replace

    from gpu.checks import DRY, Plan
    from gpu.report import TABLE, identity, slug, write
    from pytest_llem.devices.nvml.meter import NvmlMeter, driver_facts
    from pytest_llem.errors import LlemError

    plan: Plan = DRY if asked.dry else Plan()
    if asked.budget:
        plan = replace(plan, budget_s=asked.budget)
    meter = NvmlMeter()
    try:
        device = watched(meter)
    except LlemError as error:
        print(NO_GPU.format(why=f"no GPU can be measured ({error})"))
        return 0
    if device is None:
        print(NO_GPU.format(why="no GPU is visible to CUDA"))
        return 0
    bench = bench_of(meter, device, asked.load, plan)
    about = identity(bench, driver_facts())
    bench.out = Path(asked.out) if asked.out else Path(".llem") / "gpu-check" / slug(about)
    bench.out.mkdir(parents=True, exist_ok=True)
    bench.run()
    about["load"] = bench.load_about
    files = write(bench, about, dry=asked.dry)
    print("\n" + (bench.out / TABLE).read_text(encoding="utf-8"), end="")
    print(f"\nwritten to {bench.out}: {', '.join(path.name for path in files)}")
    meter.close()
    return int(any(finding.fails for finding in bench.findings) and not asked.dry)


def watched(meter: NvmlMeter) -> Device | None:
    """The GPU that CUDA calls 0; ``None`` if it sees none.

    Raises:
        LlemError: it cannot be measured, or it cannot be told which it is.
    """
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.assignment import devices_for

    devices = devices_for(ExperimentConfig(device="auto"), meter.discover(), os.environ)
    return devices[0] if devices else None


def bench_of(meter: NvmlMeter, device: Device, load: str, plan: Plan) -> Bench:
    from gpu.checks import Bench

    return Bench(
        meter,
        device,
        load,
        driver_calls(meter, device),
        Path(),
        plan,
        say=lambda text: print(text, flush=True),
    )


def driver_calls(meter: NvmlMeter, device: Device) -> dict[str, Callable[[], object]]:
    """The calls that a sampler makes, apart and together, as far as the driver answers them."""
    import pynvml

    nvml: Any = pynvml
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByUUID(device.uuid)
    single: dict[str, Callable[[], object]] = {
        "counter": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle),
        "instant power": lambda: _field(nvml, handle, nvml.NVML_FI_DEV_POWER_INSTANT),
        "average power": lambda: nvml.nvmlDeviceGetPowerUsage(handle),
    }
    together: dict[str, Callable[[], object]] = {
        "a reading": lambda: meter.read(device),
        "facts": lambda: meter.facts(device),
    }
    return {name: call for name, call in single.items() if _answers(nvml, call)} | together


def _field(nvml: Any, handle: Any, field: int) -> Any:
    """A field's value; the call itself succeeds where the field does not.

    Raises:
        pynvml.NVMLError: the driver does not know it.
    """
    (value,) = nvml.nvmlDeviceGetFieldValues(handle, [field])
    if value.nvmlReturn != nvml.NVML_SUCCESS:
        raise nvml.NVMLError(value.nvmlReturn)
    return value


def _answers(nvml: Any, call: Callable[[], object]) -> bool:
    try:
        call()
    except nvml.NVMLError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
