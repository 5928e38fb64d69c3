"""A load on the GPU, in a process of its own, so that this one only watches."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

from gpu.findings import CannotRunError

if TYPE_CHECKING:
    from pathlib import Path

Burst = tuple[int, int]
"""First and last instant of something done without a pause (``time.monotonic_ns``)."""
SLACK_S = 60.0


class Load(Protocol):
    """Something that keeps a device busy when told to. One thing at a time."""

    def square(self, start_ns: int, period_ns: float, on_ns: int, count: int) -> None:
        """Be busy for *on_ns* at the start of each of *count* periods; returns at once."""
        ...

    def steady(self, start_ns: int, seconds: float) -> None:
        """Be busy without a pause; returns at once."""
        ...

    def wait(self) -> list[Burst]:
        """When what was asked for has ended: when the device really was busy."""
        ...


class ChildLoad:
    """Speaks with ``gpu.worker`` in lines of JSON.

    Raises:
        CannotRunError: the worker did not start; the message is what it said.
    """

    def __init__(self, device: str, log: Path, start_timeout_s: float = 120.0) -> None:
        self._log = log
        with log.open("w") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "gpu.worker", device],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._deadline_s = start_timeout_s
        try:
            self.about: dict[str, Any] = self._answer()
            """What the worker says of its device and kernels."""
        except CannotRunError:
            self.close()
            raise

    def square(self, start_ns: int, period_ns: float, on_ns: int, count: int) -> None:
        self._ask(
            count * period_ns / 1e9,
            do="square",
            start_ns=start_ns,
            period_ns=period_ns,
            on_ns=on_ns,
            count=count,
        )

    def steady(self, start_ns: int, seconds: float) -> None:
        period_ns = seconds * 1e9
        self.square(start_ns, period_ns, round(period_ns), 1)

    def wait(self) -> list[Burst]:
        return [(start, end) for start, end in self._answer()["bursts"]]

    def generate(self, seconds: float, config: dict[str, Any]) -> None:
        """Load a model, say ready, then serve its workload again and again for *seconds*."""
        self._ask(seconds, do="generate", seconds=seconds, config=config)

    def generated(self) -> dict[str, Any]:
        """The next answer to ``generate``: ``ready``, then ``passes`` as (start, end, tokens)."""
        return self._answer()

    def close(self) -> None:
        """End the worker; its memory on the device is free afterwards."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _ask(self, takes_s: float, **order: Any) -> None:
        self._deadline_s = takes_s + SLACK_S
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(order).encode() + b"\n")
            self._child.stdin.flush()
        except OSError as error:
            raise CannotRunError(f"the load ended: {self._last_words()}") from error

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], self._deadline_s)
        line = self._child.stdout.readline() if ready else b""
        if not line:
            what = "ended" if ready else f"said nothing for {self._deadline_s:.0f} s"
            raise CannotRunError(f"the load {what}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CannotRunError(answer["error"])
        return answer

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote no reason"
