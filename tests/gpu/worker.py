"""The process that keeps the device busy; ``gpu.load`` starts it and tells it what to do.

``python -m gpu.worker cuda:0`` reads orders from standard input and writes answers to standard
output, each a line of JSON. It ends with its input.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from gpu.bursts import CpuKernels, CudaKernels, square

if TYPE_CHECKING:
    from gpu.bursts import Kernels


def main(device: str) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    try:
        kernels = kernels_on(device)
    except (ImportError, RuntimeError) as error:
        answer(error=f"no load can run on {device}: {first_line(error)}")
        return
    answer(**about(device, kernels))
    for line in sys.stdin:
        order = json.loads(line)
        try:
            obey(order, kernels, answer)
        except Exception as error:  # noqa: BLE001 - whatever an engine raises is the answer
            answer(error=first_line(error))


def kernels_on(device: str) -> Kernels:
    import torch

    if not device.startswith("cuda"):
        return CpuKernels(torch)
    torch.cuda.set_device(device)
    return CudaKernels(torch, device)


def about(device: str, kernels: Any) -> dict[str, Any]:
    """What runs here, for the record."""
    import torch

    uses_cuda = device.startswith("cuda")
    properties = torch.cuda.get_device_properties(device) if uses_cuda else None
    return {
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
        "device": torch.cuda.get_device_name(device) if uses_cuda else "CPU",
        "uuid": None if properties is None else str(getattr(properties, "uuid", "")) or None,
        "kernel_size": kernels.size,
        "kernel_ms": kernels.each_ns / 1e6,
    }


def obey(order: dict[str, Any], kernels: Kernels, answer: Any) -> None:
    what = order.pop("do")
    if what == "square":
        answer(bursts=square(kernels, **order))
    else:
        generate(order["seconds"], order["config"], answer)


def generate(seconds: float, config: dict[str, Any], answer: Any) -> None:
    """Serve a workload over and over, and say when each pass ran and how much it made."""
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines import ENGINES
    from pytest_llem.workloads.batch import build_requests

    experiment = ExperimentConfig.model_validate(config)
    session = ENGINES.load(experiment.backend)().load(experiment)
    try:
        requests = build_requests(experiment, session.tokenizer)
        for _ in range(5):
            session.generate(requests)
        answer(ready=True)
        passes = []
        end_ns = time.monotonic_ns() + round(seconds * 1e9)
        while time.monotonic_ns() < end_ns:
            done = session.generate(requests)
            passes.append((done.start_ns, done.end_ns, done.output_tokens))
    finally:
        session.close()
    answer(passes=passes)


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")


if __name__ == "__main__":
    main(sys.argv[1])
