"""Writes results as a run would, for tests that watch the process or end it.

Usage: write_results.py MODE DIRECTORY EXAMPLE COUNT
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.devices.meter import Capability, Device, Reading
from pytest_llem.energy.sampling.trace import Trace
from pytest_llem.errors import StoreError
from pytest_llem.results.environment import Environment, collect_environment
from pytest_llem.results.raw import RawData
from pytest_llem.results.schema import ExperimentResult
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

CAPABILITY = Capability(scope="gpu", method="counter", resolution_j=None, update_period_s=None)
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir"}


def begin(directory: Path) -> RunStore:
    environment = collect_environment(Path.cwd(), None)
    return RunStore.create(directory, command=sys.argv, environment=environment)


def write(store: RunStore, result: ExperimentResult, repeats: range) -> None:
    for repeat in repeats:
        trace = Trace(Device(f"GPU-{repeat}", "example", CAPABILITY), "nvml")
        for number in range(100):
            trace.append(Reading(number, number + 1, float(number), None))
        raw = RawData((trace,), ())
        path = store.write_result(result.model_copy(update={"repeat": repeat}), raw)
        sys.stdout.write(f"{path}\n")
        sys.stdout.flush()


def killed_at(step: int, action: Callable[[], object]) -> bool:
    """Run *action* in a child that is killed at its step-th touch of the file system."""
    child = os.fork()
    if child == 0:
        left = step

        def hook(event: str, _: object) -> None:
            nonlocal left
            if event in EVENTS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kill_at_every_step(root: Path, result: ExperimentResult) -> None:
    """One run a step: a first result, then death while the second is written or compacted."""
    import pyarrow.parquet  # noqa: F401  the steps of importing it are not those of a store

    for name in ("write", "compact"):
        step, alive = 0, False
        while not alive:
            step += 1
            store = RunStore.create(root / name, command=[], environment=Environment())
            write(store, result, range(1))
            if name == "compact":
                write(store, result, range(1, 3))
                alive = not killed_at(step, store.compact)
            else:
                alive = not killed_at(step, lambda store=store: write(store, result, range(1, 2)))


def main() -> None:
    mode, directory, example, count = sys.argv[1:]
    result = ExperimentResult.model_validate_json(Path(example).read_text())
    root, repeats = Path(directory), range(int(count))
    if mode == "new":
        write(begin(root), result, repeats)
    elif mode == "modules":
        write(begin(root), result, repeats)
        sys.stdout.write("\n".join(sys.modules))
    elif mode in {"same", "unprivileged"}:
        if mode == "unprivileged":
            os.setuid(65534)
        try:
            write(RunStore.open(root), result, repeats)
        except StoreError as error:
            sys.exit(f"StoreError: {error}")
    elif mode == "kill":
        kill_at_every_step(root, result)


main()
