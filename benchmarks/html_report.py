"""What the HTML report costs: ``python benchmarks/html_report.py [--experiments N] [--readings N]``.

Prints what a run pays for each experiment (a preview of its raw data, made and kept), what reading
a stored run of made-up experiments and writing its report takes, how large the file is, and, where
there is Chromium and Playwright, how soon it can be used. Processor time is printed beside the
clock's, since other processes slow the latter only.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from machine import describe_machine

from pytest_llem.results.preview.files import keep_preview
from pytest_llem.results.preview.making import preview_of
from pytest_llem.runs.html import write_html

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from instruments.examples import RESULT
from instruments.stored_run import made_raw, stored_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.store import RunStore

LIMIT_MS, LIMIT_S, LIMIT_MB, LIMIT_READY_S = 5.0, 3.0, 15.0, 2.0
"""What is to be reached."""
ROUNDS = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
READY = "() => document.documentElement.dataset.ready === 'true'"
COMPLETE = "() => document.querySelector('.experiments tbody').dataset.complete === 'true'"


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def cost_in_a_run(readings: int, directory: Path) -> None:
    """What is done in a run for each process of an experiment."""
    raw = made_raw(readings)

    def keep() -> None:
        if (preview := preview_of(raw)) is not None:
            keep_preview(directory, RESULT.experiment_id, preview)

    keep()
    clock, processor = zip(*(timed(keep) for _ in range(ROUNDS)), strict=True)
    print(
        f"preview of {readings} readings, made and kept: median {statistics.median(clock) * 1e3:.2f} ms "
        f"({statistics.median(processor) * 1e3:.2f} ms of the processor) of {LIMIT_MS:g}"
    )


def cost_of_a_report(store: RunStore, path: Path, experiments: int) -> None:
    gc.collect()
    clock, processor = timed(lambda: write_html(store, path))
    size = path.stat().st_size / 1e6
    print(
        f"{experiments} experiments with timelines, read and written: {clock:.2f} s "
        f"({processor:.2f} s of the processor) of {LIMIT_S:g}, "
        f"{clock / experiments * 1e3:.2f} ms an experiment"
    )
    print(f"size: {size:.1f} MB of {LIMIT_MB:g}")


def opened(path: Path) -> None:
    """How soon a browser has the page ready for use, and all rows."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser = None
    if browser is None:
        print("no browser here: when the page can be used was not measured")
        return
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        _open(page, path.as_uri())
        chromium.close()


def _open(page: Any, address: str) -> None:
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(READY, polling=5)
    ready = time.perf_counter() - begun
    page.wait_for_function(COMPLETE, polling=5)
    complete = time.perf_counter() - begun
    print(
        f"usable in Chromium after {ready:.2f} s of {LIMIT_READY_S:g}, all rows after {complete:.2f} s"
    )
    page.click("button[data-sort=energy]")
    clock, _ = timed(lambda: page.wait_for_function(COMPLETE, polling=5))
    print(f"sorted by another column: all rows after {clock:.2f} s")
    page.goto(f"{address}#view=speed")
    clock, _ = timed(lambda: page.wait_for_selector(".speed .point"))
    print(f"energy against speed: drawn after {clock:.2f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--readings", type=int, default=1800, help="of power, an experiment")
    asked = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for readings in (asked.readings, 20 * asked.readings):
            cost_in_a_run(readings, directory)
        store = stored_run(directory / ".llem", asked.experiments, readings=asked.readings)
        path = directory / "report.html"
        cost_of_a_report(store, path, asked.experiments)
        opened(path)


if __name__ == "__main__":
    main()
