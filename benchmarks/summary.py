"""How long the terminal's summary of many experiments takes, beside printing as many plain lines.

    python benchmarks/summary.py [--experiments 10000] [--rounds 5]

Results and judgements are made up; they are in memory, as at the end of a run.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import sys
import time
from typing import Any

from pytest_llem.baselines.verdict import Judgement
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.energy.measured import Figures, Measured, Phase
from pytest_llem.reports.terminal import SummaryRow, summary_lines
from pytest_llem.results.schema import ExperimentResult

LIMIT_S = 1.0
VERDICTS = ("pass", "pass", "pass", "inconclusive", "improved", "regressed", "new")
COUNTS = ("requests", "input_tokens", "output_tokens")


def row(number: int) -> SummaryRow:
    """An experiment of a grid with all that the table shows."""
    noise = random.Random(number)
    energy_j = 0.01 + number % 97 / 1e3 + noise.uniform(0, 1e-3)
    known: dict[str, Any] = {
        name: energy_j * (n + 1) * (noise.uniform(0.005, 0.03) if "uncertainty" in name else 1)
        for n, name in enumerate(Figures.model_fields)
    }
    known |= dict.fromkeys(COUNTS, 64)
    phase = Phase(**known, method="measured", reason="windows of prefill only")
    measured = Measured(
        **known,
        name="workload",
        meter="nvml",
        scope="gpu",
        method="counter",
        devices=("GPU-1",),
        prefill=phase,
        decode=phase,
        windows=(),
        warm_up=None,
        steady_state_window=None,
        valid=True,
        warnings=(),
    )
    group, label = f"bench/test_{number // 500}.py::test_chat", f"float16-{number}"
    fields: dict[str, Any] = {
        "experiment_id": f"{group}-{number:016x}",
        "config_hash": f"{number:016x}",
        "group": group,
        "label": label,
        "own_arguments": {},
        "node_id": f"{group}[{label}]",
        "run_id": "20261101T120000.000Z-ab12cd",
        "repeat": 0,
        "outcome": "passed",
        "message": None,
        "started_at": "2026-11-01T12:00:00+00:00",
        "config": ExperimentConfig(batch_size=1 + number % 64),
        "measurement_methodology": None,
        "steady_state_window": None,
        "engine": None,
        "wall_s": 30.0 + number % 7,
    }
    change = number % 50 / 1e3 + noise.uniform(0, 1e-3)
    judgement = Judgement(
        verdict=VERDICTS[number % len(VERDICTS)],  # type: ignore[arg-type] # they are verdicts
        metric="energy_per_output_token_j",
        measurement="workload",
        candidate=energy_j,
        baseline=energy_j / (1 + change),
        change=change,
        interval=(change - noise.uniform(0, 0.02), change + noise.uniform(0, 0.02)),
        tolerance="5%",
        minimum_detectable_change=0.02,
        explanation="it changed by so much, and its interval says how surely",
    )
    return SummaryRow(ExperimentResult(**fields, measurements=(measured,)), [judgement])


def took_s(width: int, rows: list[SummaryRow]) -> float:
    """CPU seconds of one summary, of which nothing is known beforehand."""
    rows = [SummaryRow(one.result, one.judgements) for one in rows]
    gc.collect()
    began_s = time.process_time()
    lines = summary_lines(rows, width=width, colour=True, unicode=True, verbosity=0)
    ended_s = time.process_time()
    assert len(lines) > len(rows)  # noqa: S101 - else it measured nothing
    return ended_s - began_s


def main() -> int:
    """Print the median of several rounds; 1 if it is beyond the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    rows = [row(number) for number in range(asked.experiments)]
    worst_s = 0.0
    for width in (80, 200):
        times = [took_s(width, rows) for _ in range(asked.rounds)]
        median_s = statistics.median(times)
        worst_s = max(worst_s, median_s)
        print(
            f"summary of {len(rows)} experiments at {width:3} columns: {median_s:.2f} s of CPU "
            f"(rounds {min(times):.2f} to {max(times):.2f}; limit {LIMIT_S:g})"
        )
    return int(worst_s > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
