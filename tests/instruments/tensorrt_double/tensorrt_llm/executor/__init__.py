"""The way to the workers: lines of JSON to the first one, which answers for all of them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER = Path(__file__).with_name("worker.py")


@dataclass
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str = ""
    lora_ckpt_source: str = "hf"


class Executor:
    def __init__(self, ranks: int, vocabulary: int, most: int) -> None:
        """Start *ranks* processes, called as mpi4py's pool calls its own."""
        limits = json.dumps({"vocabulary": vocabulary, "most": most})
        self._workers = [
            subprocess.Popen(
                [sys.executable, str(WORKER), limits, "mpi4py.futures.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(ranks)
        ]
        self._expected: dict[int, Callable[[dict[str, Any]], object]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def expect(self, number: int, take: Callable[[dict[str, Any]], object]) -> None:
        self._expected[number] = take

    def submit(self, request: dict[str, Any]) -> None:
        pipe = self._workers[0].stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(request) + "\n")
            pipe.flush()
        except BrokenPipeError:
            pass  # nobody is told, as where a worker of the real one dies

    def shutdown(self) -> None:
        for worker in self._workers:
            assert worker.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                worker.stdin.close()
        for worker in self._workers:
            worker.wait()
        self._reader.join()
        for worker in self._workers:
            assert worker.stdout is not None
            worker.stdout.close()

    def _read(self) -> None:
        pipe = self._workers[0].stdout
        assert pipe is not None
        for line in pipe:
            answer = json.loads(line)
            take = self._expected.get(answer["id"])
            if take is not None:
                take(answer)
            if answer.get("done"):
                self._expected.pop(answer["id"], None)
