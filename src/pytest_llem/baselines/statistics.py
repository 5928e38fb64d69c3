"""Locations, variance components and tests; everything on the logarithm of the metric.

The process is the unit of replication: its windows are nested in it and only tell
where the process lies. scipy is imported when a probability is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.prior import Prior
    from pytest_llem.baselines.samples import Sample, Side

TRIM = 0.2
"""Share of a process's windows that is cut at each end."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Where the windows of one process lie."""

    location: float
    """Trimmed mean of the logarithms."""
    squares: float
    """Winsorized sum of squares around their mean."""
    kept: int
    """Windows that the trimming left."""

    @property
    def df(self) -> int:
        return self.kept - 1


def windows(values: Sequence[float]) -> Windows:
    """Trimmed mean and winsorized squares of the logarithms of positive *values*.

    The pair behind the trimmed t statistic of Tukey and McLaughlin (1963) and
    Yuen (1974): ``squares / (kept * (kept - 1))`` is the squared standard error.
    """
    logs = sorted(map(math.log, values))
    cut = int(TRIM * len(logs))
    kept = logs[cut : len(logs) - cut]
    winsorized = [kept[0]] * cut + kept + [kept[-1]] * cut
    centre = math.fsum(winsorized) / len(winsorized)
    squares = math.fsum((log - centre) ** 2 for log in winsorized)
    return Windows(math.fsum(kept) / len(kept), squares, len(kept))


def location(side: Side) -> float:
    """Logarithm of where a side lies: processes count alike in a session, and so do sessions."""
    return _mean(
        [_mean([windows(sample.values).location for sample in one]) for one in side.sessions]
    )


@dataclass(frozen=True, slots=True)
class Term:
    """A source of variance, and how much of it reaches the location of each side."""

    source: str
    baseline: float
    candidate: float
    df: float
    assumed_sd: float | None
    """Standard deviation taken from the prior alone; ``None`` if the samples speak too."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two locations and all that makes their difference uncertain."""

    baseline: float
    """Logarithm of the metric in the baseline."""
    candidate: float
    """Logarithm of the metric now."""
    terms: tuple[Term, ...]

    def error(self, gain: float = 1.0) -> tuple[float, float]:
        """Standard error of ``candidate - f(baseline)`` and its degrees of freedom.

        *gain* is the derivative of ``f``. Variances of different sources are combined
        as in Satterthwaite (1946), "An approximate distribution of estimates of
        variance components".
        """
        parts = [(term.candidate + gain**2 * term.baseline, term.df) for term in self.terms]
        variance = math.fsum(part for part, _ in parts)
        return math.sqrt(variance), _satterthwaite(parts)


def contrast(
    baseline: Side, candidate: Side, prior: Prior, *, same_session: bool, same_cards: bool
) -> Contrast:
    """The locations of two sides and the variances of processes, sessions and cards.

    Every side holds at least one session, every session a process, every process a
    positive value.
    """
    sides = [_Located.of(side) for side in (baseline, candidate)]
    within = _window_variance(sides, prior)
    scale = within[0] / prior.window_sd**2 if prior.scales_with_windows else 1.0
    process = _process_variance(sides, prior, within, scale)
    terms = [_term("processes", process, *(side.process_share for side in sides))]
    if not same_session:
        session = _session_variance(sides, prior, process.value, scale)
        terms.append(_term("sessions", session, *(1 / len(side.sessions) for side in sides)))
    if not same_cards:
        card = _Variance(prior.card_sd**2 * scale, prior.card_df, prior.card_sd * math.sqrt(scale))
        terms.append(_term("cards", card, 1.0, 1.0))
    return Contrast(sides[0].location, sides[1].location, tuple(terms))


@dataclass(frozen=True, slots=True)
class _Variance:
    """A variance component as estimated."""

    value: float
    df: float
    assumed_sd: float | None


def _term(source: str, variance: _Variance, baseline: float, candidate: float) -> Term:
    value = variance.value
    return Term(source, value * baseline, value * candidate, variance.df, variance.assumed_sd)


@dataclass(frozen=True, slots=True)
class _Located:
    """One side with its processes reduced to locations."""

    sessions: tuple[tuple[tuple[Windows, Sample], ...], ...]

    @classmethod
    def of(cls, side: Side) -> _Located:
        return cls(
            tuple(
                tuple((windows(sample.values), sample) for sample in session)
                for session in side.sessions
            )
        )

    @property
    def processes(self) -> list[tuple[Windows, Sample]]:
        return [process for session in self.sessions for process in session]

    @property
    def session_means(self) -> list[float]:
        return [_mean([one.location for one, _ in session]) for session in self.sessions]

    @property
    def location(self) -> float:
        return _mean(self.session_means)

    @property
    def process_squares(self) -> float:
        """Sum of squares of the processes around their sessions."""
        return math.fsum(
            (one.location - mean) ** 2
            for session, mean in zip(self.sessions, self.session_means, strict=True)
            for one, _ in session
        )

    @property
    def process_share(self) -> float:
        """Variance of the location per variance of a process."""
        return math.fsum(1 / len(session) for session in self.sessions) / len(self.sessions) ** 2


def _window_variance(sides: Sequence[_Located], prior: Prior) -> tuple[float, float]:
    """Variance of a window around its process, and its degrees of freedom."""
    processes = [one for side in sides for one, _ in side.processes]
    squares = math.fsum(one.squares for one in processes)
    return moderated(prior.window_sd**2, prior.window_df, squares, sum(one.df for one in processes))


def _process_variance(
    sides: Sequence[_Located], prior: Prior, within: tuple[float, float], scale: float
) -> _Variance:
    """Variance of a process's location around its session.

    The prior is the assumed variance between processes plus what the windows say
    about the location of one process.
    """
    errors = [
        max(within[0] / one.kept, (sample.standard_error or 0.0) ** 2)
        for side in sides
        for one, sample in side.processes
    ]
    between = prior.process_sd**2 * scale
    parts = [(between, prior.process_df), (_mean(errors), within[1])]
    squares = math.fsum(side.process_squares for side in sides)
    df = sum(len(session) - 1 for side in sides for session in side.sessions)
    variance = moderated(between + _mean(errors), _satterthwaite(parts), squares, df)
    return _Variance(*variance, None if df else math.sqrt(between))


def _session_variance(
    sides: Sequence[_Located], prior: Prior, process_variance: float, scale: float
) -> _Variance:
    """Variance between sessions, from the history where there is one."""
    squares = 0.0
    df = 0
    for side in sides:
        noise = process_variance * _mean([1 / len(session) for session in side.sessions])
        own = math.fsum((mean - side.location) ** 2 for mean in side.session_means)
        squares += max(0.0, own - noise * (len(side.sessions) - 1))
        df += len(side.sessions) - 1
    expected = prior.session_sd**2 * scale
    variance = moderated(expected, prior.session_df, squares, df)
    return _Variance(*variance, None if df else math.sqrt(expected))


def moderated(
    expected: float, expected_df: float, squares: float, df: float
) -> tuple[float, float]:
    """Posterior variance ``(d0*s0² + squares) / (d0 + d)`` with ``d0 + d`` degrees of freedom.

    Source: Smyth (2004), Statistical Applications in Genetics and Molecular Biology
    3(1), article 3.
    """
    total = expected_df + df
    return (expected_df * expected + squares) / total, total


def above(difference: float, error: float, df: float) -> float:
    """P value of the hypothesis that the true difference is at most zero."""
    from scipy.special import stdtr

    return float(stdtr(df, -difference / error))


def quantile(probability: float, df: float) -> float:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def _satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    total = math.fsum(variance for variance, _ in parts)
    return total**2 / math.fsum(variance**2 / df for variance, df in parts)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
