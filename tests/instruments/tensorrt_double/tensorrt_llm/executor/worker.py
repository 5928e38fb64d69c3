"""A worker: takes requests into a batch, and counts on from their prompts, a token a step."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import Any

STEP_S = 0.001
PREFILL_S_PER_TOKEN = 0.00002
FAULTS = os.environ.get("LLEM_TEST_TRT_FAULT", "").split(",")


def main() -> None:
    limits = json.loads(sys.argv[1])
    arriving: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_listen, args=(arriving,), daemon=True).start()
    waiting: list[dict[str, Any]] = []
    active: list[dict[str, Any]] = []
    while True:
        while not arriving.empty() or not (waiting or active):
            request = arriving.get()
            if request is None:
                return
            waiting.append(request)
        fresh = waiting[: limits["most"] - len(active)]
        del waiting[: len(fresh)]
        _step(fresh, active, limits["vocabulary"])
        active = [one for one in [*active, *fresh] if not one["done"]]


def _listen(arriving: queue.Queue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        arriving.put(json.loads(line))
    arriving.put(None)


def _step(fresh: list[dict[str, Any]], active: list[dict[str, Any]], vocabulary: int) -> None:
    for request in fresh:
        request |= {"tokens": [], "sent": 0, "done": False, "scheduled": time.monotonic()}
    if "worker-dies" in FAULTS:
        sys.stderr.write("RuntimeError: an illegal memory access was encountered\n")
        sys.stderr.flush()
        os._exit(134)
    time.sleep(STEP_S + PREFILL_S_PER_TOKEN * sum(len(one["prompt"]) for one in fresh))
    at = time.monotonic()
    for request in [*active, *fresh]:
        _add(request, at, vocabulary)


def _add(request: dict[str, Any], at: float, vocabulary: int) -> None:
    if "oom-serve" in FAULTS:
        request["done"] = True
        _say({"id": request["id"], "error": "CUDA out of memory. Tried to allocate 2.00 GiB"})
        return
    tokens = request["tokens"]
    seed = sum(request["prompt"]) + len(request["prompt"])
    token = (seed * 31 + len(tokens) * 7) % vocabulary
    if not tokens:
        request["first"] = at
    tokens.append(token)
    most = request["max_tokens"] - ("too-short" in FAULTS)
    ended = token == request["end_id"]
    request["done"] = len(tokens) >= most or ended
    if request["streaming"] or request["done"]:
        _answer(request, at, "stop" if ended else "length")


def _answer(request: dict[str, Any], at: float, reason: str) -> None:
    fresh, request["sent"] = request["tokens"][request["sent"] :], len(request["tokens"])
    answer: dict[str, Any] = {"id": request["id"], "tokens": fresh, "done": request["done"]}
    if request["done"]:
        answer["finish_reason"] = reason
        answer["times"] = {
            "arrival_time": request["arrival_time"],
            "first_scheduled_time": request["scheduled"],
            "first_token_time": request["first"],
            "last_token_time": at,
        }
    _say(answer)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


main()
