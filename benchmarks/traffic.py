"""How exactly the open loop keeps its arrival times, beside a plain loop that does the same.

A server of its own process answers each request with 16 pieces and stamps when the first byte
of each request was read (``tests/instruments/server_double.py``). The error of an arrival is
that stamp less the instant at which the request was due, both by the machine's monotonic clock:
what the generator believes of itself does not enter. The plain loop is what is commonly written
with httpx and asyncio: sleep until a request is due, start a task, read the lines of the answer.
Either runs in a process of its own. With two cores or more, all of it runs on two.

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
from typing import TYPE_CHECKING, Any

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


def main() -> None:
    given = [*sys.argv[1:], *("200", "10", "5")[len(sys.argv) - 1 :]]
    rate, seconds, rounds = float(given[0]), float(given[1]), int(given[2])
    print(describe_machine())
    kept = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, kept)
    print(f"{rate:g} requests/s for {seconds:g} s, {CHUNKS} pieces each, on {len(kept)} cores\n")
    sides = ["pytest-llem", *(["asyncio + httpx"] if importlib.util.find_spec("httpx") else [])]
    found: dict[str, list[list[float]]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides[:: -1 if number % 2 else 1]:  # in turn, lest one always goes first
            found[side].append(_round(side, rate, round(rate * seconds), number))
    print("arrival error in ms, seen by the server: median over rounds (worst round)")
    for side in sides:
        print(f"  {side:16}", *(_row(found[side], share) for share in (0.5, 0.9, 0.99, 1.0)))
    p99 = median(_quantile(one, 0.99) for one in found["pytest-llem"])
    print(f"\np99 {p99:.2f} ms: {'within' if p99 < TARGET_MS else 'NOT within'} {TARGET_MS:g} ms")


def _row(rounds: Sequence[Sequence[float]], share: float) -> str:
    values = [_quantile(one, share) for one in rounds]
    name = "max" if share == 1 else f"p{share * 100:g}"
    return f"{name} {median(values):7.2f} ({max(values):.2f})"


def _quantile(values: Sequence[float], share: float) -> float:
    known = sorted(values)
    return known[min(int(share * len(known)), len(known) - 1)]


def _round(side: str, rate: float, count: int, seed: int) -> list[float]:
    """Errors of one round's arrivals, in milliseconds."""
    with server_double() as url:
        asked = json.dumps({"side": side, "url": url, "rate": rate, "count": count, "seed": seed})
        command = [sys.executable, __file__, "--generate", asked]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        due_ns = json.loads(done.stdout.splitlines()[-1])
        stamps_ns = stamps_of(url)
    if len(stamps_ns) < count:
        raise SystemExit(f"{side}: only {len(stamps_ns)} of {count} requests arrived")
    pairs = zip(sorted(stamps_ns)[:count], due_ns[:count], strict=True)
    return [(stamp - due) / 1e6 for stamp, due in pairs]


def generate(side: str, url: str, rate: float, count: int, seed: int) -> list[int]:
    """Send the requests; when they were due."""
    if side == "pytest-llem":
        return _ours(url, rate, count, seed)
    return asyncio.run(_plain(url, rate, count, seed))


def _ours(url: str, rate: float, count: int, seed: int) -> list[int]:
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
    # A request that is sent early is due when it is sent, for its latencies: the latest start
    # that any of them says is the one that was kept.
    times = list(islice(arrival_times_s(rate, 1.0, seed), count * 2))
    numbers = {int(one.request_id.rpartition("-")[2]): one.due_ns for one in served}
    start_ns = max(due_ns - round(times[number] * 1e9) for number, due_ns in numbers.items())
    return _due_ns(start_ns, rate, count, seed)


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
