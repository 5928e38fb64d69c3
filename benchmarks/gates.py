"""False alarms, missed regressions and processes spent: our gate beside simpler rules.

Simulated nested noise (seeds fixed): processes differ by 1 %, windows within them by 1.5 %,
sessions by 0.5 %; a card that warms up drifts by 0.3 % over 20 processes of a session, the
first windows of a process draw up to 0.4 % more, and of 2 % of windows an outlier draws more,
by 10 % on average. Each experiment has sessions of its own, which is the hardest for a family,
or all experiments share their sessions, which shows the least of them. Every gate
tolerates 2 %. Ours looks at 4, 5, 6, ... processes a side up to the most it may have, and
judges the whole grid each time, as a run with --llem-max-repeats does. In the last row the
processes of some experiments differ by more than twice as much as those of others.

The oracle is beside it: a single test of the most processes that knows every variance, at the
level that each of 200 has (Bonferroni). Where ours comes close to it, sessions are the limit, not what is made of the data.

    python benchmarks/gates.py [--replications N] [--grids N] [--seed N] [--only TEXT]

A single experiment is A against itself; a grid has 200 experiments, either all unchanged, or
all exactly at the tolerance, or ten at +5 % and ten at +10 % among unchanged ones.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from machine import describe_machine
from scipy import stats

from pytest_llem.baselines.comparison import Comparison
from pytest_llem.baselines.decisions import (
    combined_tests,
    hopeless,
    least,
    shared_by_looks,
    spent_tests,
    verdicts,
)
from pytest_llem.baselines.evaluation import Setting, Tests, evaluate
from pytest_llem.baselines.family import FAMILY_ALPHA, Hypothesis, decide
from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.looks import FIRST_LOOK, plan_looks
from pytest_llem.baselines.prior import MEASURED
from pytest_llem.baselines.processes import Processes, trimmed
from pytest_llem.baselines.rules import parse_rule
from pytest_llem.baselines.samples import Sample, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from pytest_llem.baselines.arrays import Bools, Floats, Ints, Words


GRID, TELLING = 200, 10
WINDOWS = 5
TOLERANCE = 0.02
RULE = parse_rule(f"energy_per_output_token_j:{TOLERANCE:.0%}")
PROCESS, WITHIN, SESSION, DRIFT, FIRST, OUTLIERS, OUTLIER = (
    0.01,
    0.015,
    0.005,
    0.003,
    0.004,
    0.02,
    0.1,
)
ANCHOR_ERROR = 0.002
FIXED = 10
"""Processes a side that the rules beside ours have."""


class Case(NamedTuple):
    """What the candidate is compared with."""

    name: str
    baseline: tuple[int, ...] = ()
    """Processes of each stored session; none is interleaved with the candidate."""
    cancelled: float | None = None
    """Share of the session that the anchors see; ``None`` is no anchors."""
    shared: bool = False
    """Whether all experiments share their sessions, and what the anchors err by."""
    most: int = 20
    session: float = SESSION
    uneven: float = 0.0
    """Standard deviation of the logarithm by which processes of experiments vary more or less."""


CASES = (
    Case("interleaved A/B"),
    Case("20 processes of 10 sessions, anchors", (2,) * 10, 1.0, most=30),
    Case("the same, sessions shared by the grid", (2,) * 10, 1.0, shared=True, most=30),
    Case("20 processes of 4 sessions, anchors", (5,) * 4, 1.0, most=30),
    Case("20 processes of 1 session, anchors", (20,), 1.0, most=30),
    Case("the same, sessions shared by the grid", (20,), 1.0, shared=True, most=30),
    Case("10 sessions, anchors cancel half", (2,) * 10, 0.5, most=30),
    Case("the same, sessions shared by the grid", (2,) * 10, 0.5, shared=True, most=30),
    Case("4 sessions, anchors cancel half", (5,) * 4, 0.5, most=30),
    Case("1 session, anchors cancel half", (20,), 0.5, most=30),
    Case("the same, sessions shared by the grid", (20,), 0.5, shared=True, most=30),
    Case("20 processes of 1 session, no anchors", (20,)),
    Case("no anchors, sessions differ by 1 %", (20,), session=0.01),
    Case("interleaved A/B, uneven noise", uneven=0.4),
)


@dataclass(eq=False)
class Drawn:
    """Windows as logarithms, ``(experiments, processes, windows)``, session by session."""

    windows: list[Floats] = field(default_factory=list)
    candidate: list[bool] = field(default_factory=list)
    anchor: list[Floats] = field(default_factory=list)
    """What the anchors read before any drift."""
    slope: list[Floats] = field(default_factory=list)
    """Drift a process, which the anchors at start, middle and end see the mean of."""


class Simulation:
    """Draws what the case says of experiments that changed."""

    def __init__(self, case: Case, chance: np.random.Generator) -> None:
        self.case, self.chance = case, chance
        self.noise: Floats = np.full(1, PROCESS)

    def draw(self, changes: Floats) -> Drawn:
        """Both sides of one experiment for each of *changes*, all processes they may have."""
        drawn = Drawn()
        size, case = len(changes), self.case
        self.noise = PROCESS * np.exp(self.chance.normal(0, case.uneven, size))
        if not case.baseline:
            offset, slope = self._common(case.session, size), self._common(DRIFT / 20, size)
            for is_candidate, change in ((False, np.zeros(size)), (True, changes)):
                self._session(drawn, change + offset, slope, case.most, is_candidate=is_candidate)
            return drawn
        for count, is_candidate in (*((n, False) for n in case.baseline), (case.most, True)):
            offset, slope = self._common(case.session, size), self._common(DRIFT / 20, size)
            moved = offset + (changes if is_candidate else 0.0)
            self._session(drawn, moved, slope, count, is_candidate=is_candidate)
            if case.cancelled is not None:
                error = self._common(ANCHOR_ERROR, size)
                drawn.anchor[-1] = case.cancelled * offset + error
        return drawn

    def _common(self, sd: float, size: int) -> Floats:
        values = self.chance.normal(0, sd, 1 if self.case.shared else size)
        return np.broadcast_to(values, (size,))

    def _session(
        self, drawn: Drawn, location: Floats, slope: Floats, count: int, *, is_candidate: bool
    ) -> None:
        size, chance = len(location), self.chance
        process = location[:, None] + slope[:, None] * np.arange(count)
        process = process + self.noise[:, None] * chance.normal(0, 1, (size, count))
        shape = (size, count, WINDOWS)
        windows = process[:, :, None] + chance.normal(0, WITHIN, shape)
        windows += FIRST * np.exp(-np.arange(WINDOWS) / 1.5)
        odd = chance.random(shape) < OUTLIERS
        windows += odd * chance.exponential(OUTLIER, shape)
        drawn.windows.append(windows)
        drawn.candidate.append(is_candidate)
        drawn.anchor.append(np.full(size, np.nan))
        drawn.slope.append(slope)


class Gate:
    """Our gate over one grid, or over experiments that are each alone."""

    def __init__(self, case: Case, drawn: Drawn, *, family: bool) -> None:
        self.case, self.drawn = case, drawn
        self.size = len(drawn.windows[0])
        self.family = family
        self.looks = plan_looks(FIRST_LOOK, case.most)
        self.setting = Setting(
            rules=[RULE] * self.size,
            priors=[MEASURED] * self.size,
            same_cards=np.ones(self.size, dtype=bool),
            groups=np.full(self.size, 0 if family else -1),
        )
        self.all = self._processes()

    def run(self) -> tuple[Words, Ints]:
        """Verdicts, and processes spent a side, experiment by experiment."""
        counts = np.full(self.size, self.looks.processes[0])
        active: Bools = np.ones(self.size, dtype=bool)
        tests = Tests(*np.ones((3, self.size)))
        for number, processes in enumerate(self.looks.processes):
            counts[active] = processes
            found = evaluate(self._until(counts), self.setting)
            shared = shared_by_looks(found, counts, self.looks.most)
            believed = combined_tests(found, self.setting.groups >= 0)
            now = spent_tests(believed, self.looks, number, shared)
            tests = _where(active, least(tests, now), tests)
            said = verdicts(tests, self._certain(tests))
            active &= said == "inconclusive"
            if processes < self.looks.most:
                active &= ~hopeless(found, self.looks, counts, self._levels())
            if not active.any():
                break
        return said, counts

    def _levels(self) -> Floats:
        return np.full(self.size, FAMILY_ALPHA / (self.size if self.family else 1))

    def _certain(self, tests: Tests) -> Bools:
        if not self.family:
            return tests.worse <= FAMILY_ALPHA
        some = [Hypothesis(str(one), p_value) for one, p_value in enumerate(tests.worse.tolist())]
        certain: Bools = np.zeros(self.size, dtype=bool)
        certain[list(decide(some, 0).certain)] = True
        return certain

    def _until(self, counts: Ints) -> Processes:
        """The processes so far, and the anchors as they were measured over them."""
        some = self.all.first(counts)
        if self.case.cancelled is None:
            return some
        last = len(self.drawn.windows) - 1
        anchors = [
            anchor + slope * ((counts if one == last else windows.shape[1]) - 1) / 2
            for one, (anchor, slope, windows) in enumerate(
                zip(self.drawn.anchor, self.drawn.slope, self.drawn.windows, strict=True)
            )
        ]
        return replace(some, anchor=np.concatenate(anchors))

    def _processes(self) -> Processes:
        reduced = [trimmed(windows) for windows in self.drawn.windows]
        counts = [windows.shape[1] for windows in self.drawn.windows]
        everyone, size = np.arange(self.size), self.size
        location = np.concatenate([one[0].ravel() for one in reduced])
        squares = np.concatenate([one[1].ravel() for one in reduced])
        return Processes(
            location=location,
            squares=squares,
            kept=np.full(len(location), float(reduced[0][2])),
            stated=np.zeros(len(location)),
            number=np.concatenate([np.tile(np.arange(count), size) for count in counts]),
            session=np.concatenate(
                [np.repeat(place * size + everyone, count) for place, count in enumerate(counts)]
            ),
            comparison=np.tile(everyone, len(counts)),
            candidate=np.repeat(self.drawn.candidate, size),
            anchor=np.concatenate(self.drawn.anchor),
            anchor_error=np.full(len(counts) * size, ANCHOR_ERROR),
            same_session=np.full(size, not self.case.baseline),
        )


def _where(chosen: Bools, one: Tests, other: Tests) -> Tests:
    return Tests(
        *(np.where(chosen, getattr(one, name), getattr(other, name)) for name in Tests.__slots__)
    )


class Rule(NamedTuple):
    """A rule that is used elsewhere, on one session a side."""

    name: str
    processes: int
    fails: Callable[[Floats, Floats], Bools]
    """Which experiments it fails, by the windows of both sides, ``(experiments, processes, windows)``."""


def mean_rule(before: Floats, after: Floats) -> Bools:
    """pytest-benchmark's ``--benchmark-compare-fail=mean:5%``: means of all rounds."""
    return np.exp(after).mean(axis=(1, 2)) > 1.05 * np.exp(before).mean(axis=(1, 2))


def fixed_rule(before: Floats, after: Floats) -> Bools:
    """A ratio of means above the tolerance."""
    return np.exp(after).mean(axis=(1, 2)) > (1 + TOLERANCE) * np.exp(before).mean(axis=(1, 2))


def benchstat_rule(before: Floats, after: Floats) -> Bools:
    """benchstat: medians beyond the tolerance, and a two-sided Mann-Whitney test at 5 %, of all windows."""
    return _mann_whitney(before.reshape(len(before), -1), after.reshape(len(after), -1))


def processes_rule(before: Floats, after: Floats) -> Bools:
    """The same, of process means."""
    return _mann_whitney(before.mean(axis=2), after.mean(axis=2))


def _mann_whitney(before: Floats, after: Floats) -> Bools:
    p_values = stats.mannwhitneyu(after, before, axis=1, method="asymptotic").pvalue
    rose = np.median(after, axis=1) > np.median(before, axis=1)
    return np.asarray((p_values < 0.05) & rose)


def criterion_rule(before: Floats, after: Floats) -> Bools:
    """criterion.rs: a bootstrapped 95 % interval of the change of the mean beyond a noise threshold of 2 %."""
    chance = np.random.default_rng(7)
    sides = [np.exp(side).reshape(len(side), -1) for side in (before, after)]
    count = sides[0].shape[1]
    weights = chance.multinomial(count, np.full(count, 1 / count), (2, 1000)) / count
    ratio = (sides[1] @ weights[1].T) / (sides[0] @ weights[0].T) - 1
    return np.asarray(np.quantile(ratio, 0.025, axis=1) > TOLERANCE)


RULES = (
    Rule("pytest-benchmark mean:5%", 1, mean_rule),
    Rule("fixed threshold of 2 %", 1, fixed_rule),
    Rule("Mann-Whitney, windows (benchstat)", FIXED, benchstat_rule),
    Rule("Mann-Whitney, process means", FIXED, processes_rule),
    Rule("bootstrap, threshold 2 % (criterion)", FIXED, criterion_rule),
)


@dataclass(eq=False)
class Tally:
    """What came of one way to gate."""

    name: str
    single: float = np.nan
    grids: float = np.nan
    edge: float = np.nan
    found: tuple[float, float] = (np.nan, np.nan)
    wrong_pass: tuple[float, float] = (np.nan, np.nan)
    """Passed although at the tolerance, and although at +5 %."""
    passed: float = np.nan
    oracle: tuple[float, float] = (np.nan, np.nan)
    """What a test finds that knows all variances."""
    spent: tuple[float, float, float, float] = (np.nan,) * 4
    """Processes a side: all unchanged, with some changed, those at +5 %, at the tolerance."""


def changed() -> Floats:
    """Ten at +5 %, ten at +10 %, the others unchanged."""
    changes = np.zeros(GRID)
    changes[:TELLING], changes[TELLING : 2 * TELLING] = np.log(1.05), np.log(1.1)
    return changes


def tally_ours(case: Case, replications: int, grids: int, seed: int) -> Tally:
    """Our gate in one case."""
    chance = np.random.default_rng((seed, CASES.index(case)))
    simulation = Simulation(case, chance)
    alone, _ = Gate(case, simulation.draw(np.zeros(replications)), family=False).run()
    rows = []
    for _ in range(grids):
        same, same_spent = Gate(case, simulation.draw(np.zeros(GRID)), family=True).run()
        edge = np.full(GRID, np.log1p(TOLERANCE))
        at, at_spent = Gate(case, simulation.draw(edge), family=True).run()
        mixed, mixed_spent = Gate(case, simulation.draw(changed()), family=True).run()
        five, ten = mixed[:TELLING], mixed[TELLING : 2 * TELLING]
        rows.append(
            [
                np.any(same == "regressed"),
                np.any(at == "regressed"),
                np.mean(five == "regressed"),
                np.mean(ten == "regressed"),
                np.mean(np.isin(at, ["pass", "improved"])),
                np.mean(np.isin(five, ["pass", "improved"])),
                np.mean(np.isin(same, ["pass", "improved"])),
                same_spent.mean(),
                mixed_spent.mean(),
                mixed_spent[:TELLING].mean(),
                at_spent.mean(),
            ]
        )
    means = np.mean(np.array(rows, dtype=float), axis=0).tolist()
    return Tally(
        case.name,
        single=float(np.mean(alone == "regressed")),
        grids=means[0],
        edge=means[1],
        found=(means[2], means[3]),
        wrong_pass=(means[4], means[5]),
        passed=means[6],
        oracle=oracle(case),
        spent=(means[7], means[8], means[9], means[10]),
    )


def oracle(case: Case) -> tuple[float, float]:
    """Chances that a test of all processes, with all variances known, finds +5 % and +10 %."""
    process, sides = _process_variance(), case.baseline or (case.most,)
    shares = [(count, 1 / len(sides) ** 2) for count in sides] + [(case.most, 1.0)]
    variance = sum(
        share * (process / count + _session_variance(case, count)) for count, share in shares
    )
    reach = stats.norm.isf(FAMILY_ALPHA / GRID)
    margins = np.log1p([0.05, 0.1]) - np.log1p(TOLERANCE)
    five, ten = stats.norm.sf(reach - margins / np.sqrt(variance)).tolist()
    return five, ten


def _session_variance(case: Case, count: int) -> float:
    """Variance of where a session of *count* processes lies that it has as a session."""
    if not case.baseline:
        return 0.0
    if case.cancelled is None:
        return case.session**2 + (DRIFT / 20 * (count - 1) / 2) ** 2
    return ((1 - case.cancelled) * case.session) ** 2 + ANCHOR_ERROR**2


def _process_variance() -> float:
    """Variance of where processes of one session lie, their windows included."""
    chance, count = np.random.default_rng(3), 20_000
    windows = chance.normal(0, WITHIN, (count, WINDOWS)) + chance.normal(0, PROCESS, (count, 1))
    windows += FIRST * np.exp(-np.arange(WINDOWS) / 1.5)
    windows += (chance.random(windows.shape) < OUTLIERS) * chance.exponential(
        OUTLIER, windows.shape
    )
    return float(trimmed(windows)[0].var())


def tally_rule(rule: Rule, replications: int, grids: int, seed: int) -> Tally:
    """A rule of others: a stored baseline of one session, as they have it."""
    case = Case(rule.name, (rule.processes,), most=rule.processes)
    simulation = Simulation(case, np.random.default_rng((seed, 99, RULES.index(rule))))

    def fails(changes: Floats) -> Bools:
        drawn = simulation.draw(changes)
        return rule.fails(*drawn.windows)

    singles = np.concatenate([fails(np.zeros(GRID)) for _ in range(-(-replications // GRID))])
    edge = np.full(GRID, np.log1p(TOLERANCE))
    same, at = (
        float(np.mean([fails(changes).any() for _ in range(grids)]))
        for changes in (np.zeros(GRID), edge)
    )
    powers = [
        float(np.mean([fails(np.full(GRID, np.log1p(rise))).mean() for _ in range(10)]))
        for rise in (0.05, 0.1)
    ]
    spent = (float(rule.processes),) * 4
    return Tally(rule.name, float(singles.mean()), same, at, (powers[0], powers[1]), spent=spent)


HEAD = (
    f"{'':38s} {'A/A':>6s} {'of 200':>7s} {'of 200':>7s} {'found':>7s} {'found':>7s}"
    f" {'oracle':>7s} {'oracle':>7s}"
    f" {'passed':>7s} {'passed':>7s} {'passed':>7s} {'processes a side':>27s}\n"
    f"{'gate, tolerance 2 %':38s} {'one':>6s} {'A/A':>7s} {'at +2%':>7s} {'+5%':>7s} {'+10%':>7s} {'+5%':>7s} {'+10%':>7s}"
    f" {'A/A':>7s} {'at +2%':>7s} {'+5%':>7s} {'A/A':>6s} {'mixed':>6s} {'+5%':>6s} {'+2%':>6s}"
)


def row(tally: Tally) -> str:
    """One line of the table."""
    shares = [
        tally.grids,
        tally.edge,
        *tally.found,
        *tally.oracle,
        tally.passed,
        *tally.wrong_pass,
    ]
    return (
        f"{tally.name:38s} {_share(tally.single, 6)} "
        + " ".join(_share(one, 7) for one in shares)
        + " "
        + " ".join(f"{one:6.1f}" for one in tally.spent)
    )


def _share(value: float, width: int) -> str:
    return f"{'-':>{width}s}" if np.isnan(value) else f"{100 * value:{width - 1}.2f}%"


class ChildMemory(threading.Thread):
    """The most memory that a child of this process had, by looking every 10 ms.

    ``getrusage`` counts what it shared with this process before it became itself.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most_mb = 0.0
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        """Look until the body is done."""
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        while not self._done.wait(0.01):
            for child in children.read_text().split():
                self.most_mb = max(self.most_mb, _high_water_mb(Path(f"/proc/{child}")))


def _high_water_mb(process: Path) -> float:
    try:
        if (process / "exe").readlink() != Path("/proc/self/exe").readlink():
            return 0.0
        if b"pytest_llem.baselines.helper" not in (process / "cmdline").read_bytes():
            return 0.0
        status = (process / "status").read_text()
    except OSError:
        return 0.0
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return float(fields.get("VmHWM", "0 kB").split()[0]) * 1024 / 1e6


def judge_many(experiments: int) -> None:
    """Judge *experiments* against a stored baseline of 20 processes, each with 5 of its own."""
    case = Case("many", (20,), most=5)
    drawn = Simulation(case, np.random.default_rng(5)).draw(np.zeros(experiments))
    sides = [
        [
            Side(sessions=(tuple(Sample(tuple(process)) for process in one),))
            for one in np.exp(windows).tolist()
        ]
        for windows in drawn.windows
    ]
    comparisons = [
        Comparison(str(number), "workload", RULE, "measured", before, after)
        for number, (before, after) in enumerate(zip(*sides, strict=True))
    ]
    began = time.perf_counter()
    cpu = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    with ChildMemory() as memory:
        judged = judge_in_helper(comparisons)
    took = time.perf_counter() - began
    cpu = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - cpu
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(
        f"{len(judged)} experiments judged in {took:.1f} s (the process that judges: {cpu:.1f} s of CPU, "
        f"at most {memory.most_mb:.0f} MB; this one: {own:.0f} MB), 20 processes of 5 windows in each baseline, 5 now"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, then what judging costs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--grids", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has it")
    parser.add_argument("--judge-only", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.judge_only:
        judge_many(asked.judge_only)
        return
    print(describe_machine())
    print(
        f"{asked.replications} single experiments, {asked.grids} grids of {GRID}, seed {asked.seed}\n"
    )
    print(HEAD)
    began = time.perf_counter()
    for rule in (one for one in RULES if asked.only in one.name):
        print(row(tally_rule(rule, asked.replications, asked.grids, asked.seed)), flush=True)
    for case in (one for one in CASES if asked.only in one.name):
        print(row(tally_ours(case, asked.replications, asked.grids, asked.seed)), flush=True)
    print(f"\nsimulated in {(time.perf_counter() - began) / 60:.1f} min")
    subprocess.run([sys.executable, __file__, "--judge-only", "10000"], check=True)


if __name__ == "__main__":
    main()
