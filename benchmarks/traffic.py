"""How exactly the open loop keeps its arrival times, beside a plain loop that does the same.

A server of its own process answers each request with 16 pieces and stamps when the first byte
of each request was read (``tests/instruments/server_double.py``). The error of an arrival is
that stamp less the instant at which the request was due, both by the machine's monotonic clock:
what the generator believes of itself does not enter. What it believes is printed as well: when
a request was handed to the kernel, less when it was due. The plain loop, for which httpx has to be
installed, is what is commonly written with asyncio: sleep until a request is due, start a task, read
the lines of the answer. Each generator runs in a process of its own. With two cores or more, all of
it runs on two.

    python benchmarks/traffic.py [rate per second] [seconds] [rounds]
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from machine import describe_machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from instruments.server_double import server_double, stamps_of
from pytest_llem.workloads.arrivals import arrival_times_s

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNKS = 16
CORES = 2
LEAD_S = 0.5
INPUT_TOKENS = 128
TARGET_MS = 5.0
OURS = "pytest-llem"


def main() -> None:
    given = [*sys.argv[1:], *("200", "10", "5")[len(sys.argv) - 1 :]]
    rate, seconds, rounds = float(given[0]), float(given[1]), int(given[2])
    print(describe_machine())
    kept = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, kept)
    print(f"{rate:g} requests/s for {seconds:g} s, {CHUNKS} pieces each, on {len(kept)} cores\n")
    sides = [OURS, *(["asyncio + httpx"] if importlib.util.find_spec("httpx") else [])]
    errors: dict[str, list[list[float]]] = {side: [] for side in sides}
    sent: list[list[float]] = []
    for number in range(rounds):
        for side in sides[:: -1 if number % 2 else 1]:  # in turn, lest one always goes first
            found = _round(side, rate, round(rate * seconds), number)
            errors[side].append(found.errors_ms)
            if side == OURS:
                sent.append(found.sent_ms)
    print(
        f"load {os.getloadavg()[0]:.2f} at the end\n\nms, over {rounds} rounds: least / median / most"
    )
    for side in sides:
        print(f"  arrival error, {side:16}", *_row(errors[side]))
    print(f"  sent late by,  {OURS:16}", *_row(sent))
    p99 = [_quantile(one, 0.99) for one in errors[OURS]]
    within = sum(one < TARGET_MS for one in p99)
    print(
        f"\n99th percentile of the arrival error below {TARGET_MS:g} ms in {within} of {rounds} rounds"
    )


def _row(rounds: Sequence[Sequence[float]]) -> list[str]:
    return [_cell(rounds, share) for share in (0.5, 0.9, 0.99, 1.0)]


def _cell(rounds: Sequence[Sequence[float]], share: float) -> str:
    values = [_quantile(one, share) for one in rounds]
    name = "max" if share == 1 else f"p{share * 100:g}"
    return f" {name} {min(values):.2f} / {median(values):.2f} / {max(values):.2f}"


def _quantile(values: Sequence[float], share: float) -> float:
    known = sorted(values)
    return known[min(int(share * len(known)), len(known) - 1)]


class Round(NamedTuple):
    """What one round found, in milliseconds."""

    errors_ms: list[float]
    """When the server read each request, less when it was due."""
    sent_ms: list[float]
    """When the generator says that it was sent, less when it was due; empty if it does not."""


def _round(side: str, rate: float, count: int, seed: int) -> Round:
    with server_double(ahead=True) as url:
        asked = json.dumps({"side": side, "url": url, "rate": rate, "count": count, "seed": seed})
        command = [sys.executable, __file__, "--generate", asked]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        due_ns, sent_ns = json.loads(done.stdout.splitlines()[-1])
        stamps_ns = stamps_of(url)
    if len(stamps_ns) < count:
        raise SystemExit(f"{side}: only {len(stamps_ns)} of {count} requests arrived")
    return Round(_later(stamps_ns, due_ns, count), _later(sent_ns, due_ns, count))


def _later(stamps_ns: Sequence[int], due_ns: Sequence[int], count: int) -> list[float]:
    pairs = zip(sorted(stamps_ns)[:count], sorted(due_ns)[:count], strict=False)
    return [(stamp - due) / 1e6 for stamp, due in pairs]


def generate(
    side: str, url: str, rate: float, count: int, seed: int
) -> tuple[list[int], list[int]]:
    """Send the requests; when they were due, and when they were sent if that is known."""
    if side == OURS:
        return _ours(url, rate, count, seed)
    return asyncio.run(_plain(url, rate, count, seed)), []


def _ours(url: str, rate: float, count: int, seed: int) -> tuple[list[int], list[int]]:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.openai.engine import OpenaiEngine
    from pytest_llem.workloads.traffic import traffic_requests

    config = ExperimentConfig.model_validate(
        {
            "backend": "openai",
            "openai": {"base_url": url},
            "input_tokens": INPUT_TOKENS,
            "output_tokens": CHUNKS,
            "seed": seed,
            "traffic": {"rate_per_s": rate},
            "measurement": {"idle_s": 0},
        }
    )
    session = OpenaiEngine().load(config)
    stream = session.stream(traffic_requests(config, session.tokenizer), None)
    served = stream.take(count)
    session.close()
    failed = [one for one in served if one.failure]
    if failed:
        raise SystemExit(f"{len(failed)} requests failed, such as: {failed[0].said}")
    # Requests that ended are not quite the first ones that were due: the plan is what they share.
    times = list(islice(arrival_times_s(rate, 1.0, seed), count * 2))
    numbers = {int(one.request_id.rpartition("-")[2]): one for one in served}
    starts_ns = {one.due_ns - round(times[number] * 1e9) for number, one in numbers.items()}
    if len(starts_ns) != 1:
        raise SystemExit("requests were not due as planned")
    sent_ns = [numbers[number].sent_ns for number in sorted(numbers)]
    return _due_ns(starts_ns.pop(), rate, count, seed), sent_ns


def _due_ns(start_ns: int, rate: float, count: int, seed: int) -> list[int]:
    times = arrival_times_s(rate, 1.0, seed)
    return [start_ns + round(next(times) * 1e9) for _ in range(count)]


async def _plain(url: str, rate: float, count: int, seed: int) -> list[int]:
    import httpx  # type: ignore[import-not-found]  # in the environment of benchmarks only

    body: dict[str, Any] = {
        "model": "double",
        "prompt": list(range(INPUT_TOKENS)),
        "max_tokens": CHUNKS,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def ask() -> None:
            async with client.stream("POST", f"{url}/completions", json=body) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: {"):
                        json.loads(line[6:])

        due_ns = _due_ns(time.monotonic_ns() + round(LEAD_S * 1e9), rate, count, seed)
        tasks = []
        for due in due_ns:
            await asyncio.sleep(max(due - time.monotonic_ns(), 0) / 1e9)
            tasks.append(asyncio.create_task(ask()))
        await asyncio.gather(*tasks)
    return due_ns


if __name__ == "__main__":
    if sys.argv[1:2] == ["--generate"]:
        print(json.dumps(generate(**json.loads(sys.argv[2]))))
    else:
        main()
