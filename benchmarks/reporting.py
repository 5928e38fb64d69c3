"""What all reports together add to a run, for each experiment and once.

The same run of small experiments with every report that the documents name, and with none: no
preview is kept either, and of the summary only the last line is shown. Runs with few and with many
experiments tell what each costs from what a run pays once, such as loading pyarrow. Timed is what
can report: previews, the log, pytest's handling of each test's reports, and all that follows the
last test. How long experiments and the inference of their figures took is not in it, nor what
every run does with or without reports: turning raw data into Parquet files.

    python benchmarks/reporting.py [--experiments 60] [--rounds 5]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from machine import describe_machine

from pytest_llem.reports.exporters import EXPORTERS

LIMIT_MS = 5.0
FEW = 4
NOT_A_FILE = ("otel",)
"""Exporters that need somebody at the other end."""
QUICK = (
    "--llem-set=measurement.windows=2",
    "--llem-set=measurement.window_s=0.02",
    "--llem-set=measurement.warmup_min_s=0.02",
    "--llem-set=measurement.warmup_max_s=0.04",
    "--llem-set=measurement.idle_s=0",
    "--llem-meter=estimate",
    "--llem-allow-shared",
)
OF_OTHERS = {
    "pytest_jsonreport": ("--json-report", "--json-report-file=json-report.json"),
    "pytest_reportlog": ("--report-log=report-log.jsonl",),
}
"""Reports of other plugins, which are told of figures, too."""
EXPERIMENTS = """
import pytest

@pytest.mark.parametrize("number", range({experiments}))
def test_sum(energy, number):
    energy.measure(lambda: sum(range(10_000)))
"""
PRICES = """
[tool.llem.cost]
currency = "EUR"
price_per_kwh = 0.3
grid_gco2e_per_kwh = 380
"""
CONFTEST = """
import atexit, json, os, threading, time
from contextlib import contextmanager
import pytest
from pytest_llem.results import event_log, raw_store, store

IS_CHILD = "LLEM_EXPERIMENT" in os.environ
took, depth = [0.0, 0.0], 0

@contextmanager
def timed():
    global depth
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    depth += 1
    begun = time.thread_time(), time.perf_counter()
    try:
        yield
    finally:
        depth -= 1
        ended = time.thread_time(), time.perf_counter()
        for place in range(0 if depth else 2):
            took[place] += ended[place] - begun[place]

@contextmanager
def left_out():
    begun = time.thread_time(), time.perf_counter()
    try:
        yield
    finally:
        ended = time.thread_time(), time.perf_counter()
        for place in range(2):
            took[place] -= ended[place] - begun[place]

raw_store.RawStore.compact = left_out()(raw_store.RawStore.compact)
event_log.EventLog.add = timed()(event_log.EventLog.add)
store.keep_preview = timed()(store.keep_preview)
store.preview_of = timed()(store.preview_of if os.environ["REPORTS"] == "all" else lambda raw: None)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logreport():
    with timed():
        return (yield)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop():
    try:
        return (yield)
    finally:
        if not IS_CHILD:
            rest = timed()
            rest.__enter__()
            atexit.register(note, rest)

def note(rest):
    rest.__exit__(None, None, None)
    with open("took_s", "w") as file:
        json.dump(took, file)
"""


class Took(NamedTuple):
    """What a run took, in seconds; or one more than another."""

    processor_s: float
    """Of the thread that reports."""
    clock_s: float


class Added(NamedTuple):
    """What reports added in one round, in seconds."""

    once: Took
    """To a run of few experiments."""
    each: Took
    """For each further experiment."""


def main() -> int:
    """Print medians of several rounds; 1 if reports take more of the processor than they may."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiments", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if asked.experiments <= FEW:
        parser.error(f"--experiments has to be above {FEW}")
    print(describe_machine())
    print(f"with: {' '.join(_every_report())}")
    rounds = [_round(asked.experiments, number) for number in range(asked.rounds)]
    for place, name in enumerate(("of the processor", "by the clock")):
        print(
            f"reports of {asked.experiments} experiments, {name}: "
            f"{_median([added.each[place] for added in rounds])} ms an experiment "
            f"of {LIMIT_MS:g}, and {_median([added.once[place] for added in rounds])} ms "
            f"a run with {FEW}"
        )
    return int(statistics.median(added.each.processor_s for added in rounds) * 1e3 > LIMIT_MS)


def _median(seconds: list[float]) -> str:
    """The median and, of a handful of rounds, the least and the most."""
    low, middle, high = (
        f"{found * 1e3:.2f}" for found in (min(seconds), statistics.median(seconds), max(seconds))
    )
    return f"{middle} ({low} to {high})"


def _round(experiments: int, number: int) -> Added:
    """Runs with and without reports, one after the other, in turns the one and the other first."""
    with_first = number % 2 == 0
    once, many = (_difference(count, with_first) for count in (FEW, experiments))
    each = Took(*((a - b) / (experiments - FEW) for a, b in zip(many, once, strict=True)))
    return Added(once, each)


def _difference(experiments: int, with_first: bool) -> Took:
    taken = {
        kind: _run(experiments, kind) for kind in ((True, False) if with_first else (False, True))
    }
    return Took(*(a - b for a, b in zip(taken[True], taken[False], strict=True)))


def _every_report() -> list[str]:
    formats = [name for name in EXPORTERS.names() if name not in NOT_A_FILE]
    found = ["--llem-html=report.html", "--llem-cost", "--llem-github=on", "--llem-log=log.jsonl"]
    found += ["--junitxml=junit.xml", *(f"--llem-export={name}:{name}" for name in formats)]
    for module, options in OF_OTHERS.items():
        found += options if importlib.util.find_spec(module) else ()
    return found


def _run(experiments: int, with_reports: bool) -> Took:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "conftest.py").write_text(CONFTEST)
        (directory / "pyproject.toml").write_text(PRICES)
        (directory / "test_it.py").write_text(EXPERIMENTS.format(experiments=experiments))
        options = _every_report() if with_reports else ["-q"]
        own = {
            "PYTEST_ADDOPTS": "",
            "REPORTS": "all" if with_reports else "none",
            "GITHUB_STEP_SUMMARY": str(directory / "summary.md"),
        }
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "no:randomly",
                "-p",
                "no:hypothesispytest",
                "--llem-isolation=fork-server",
                *QUICK,
                *options,
            ],
            cwd=directory,
            env={**os.environ, **own},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return Took(*json.loads((directory / "took_s").read_text()))


if __name__ == "__main__":
    sys.exit(main())
