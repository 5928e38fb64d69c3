"""Two locations a comparison and the components of variance between them, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llem.baselines.processes import total
from pytest_llem.baselines.variances import (
    Allowance,
    Sessions,
    Variance,
    combined,
    moderated,
    moved_by,
    of_both,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.arrays import Bools, Floats
    from pytest_llem.baselines.prior import Prior
    from pytest_llem.baselines.processes import Processes


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A source of variance, and how much of it reaches the location of each side."""

    source: str
    baseline: Floats
    candidate: Floats
    df: Floats
    assumed_sd: Floats
    """Standard deviation taken from the prior alone; NaN if the samples speak too, or if
    the source plays no part."""


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Two locations a comparison and all that makes their differences uncertain."""

    baseline: Floats
    """Logarithm of the metric in the baseline."""
    candidate: Floats
    """Logarithm of the metric now, corrected by what the anchors moved."""
    anchored: Floats
    """By how much the anchors moved, on the logarithm: taken off; 0 where they play no part."""
    held: Bools
    """Whether anchors were taken off."""
    terms: tuple[Term, ...]

    def error(self, gain: Floats | float = 1.0) -> tuple[Floats, Floats]:
        """Standard error of ``candidate - f(baseline)`` and its degrees of freedom.

        *gain* is the derivative of ``f``. Variances of different sources are combined
        as in Satterthwaite (1946), "An approximate distribution of estimates of
        variance components".
        """
        return combined(
            [(term.candidate + gain**2 * term.baseline, term.df) for term in self.terms]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """The priors of many comparisons, field by field."""

    process_sd: Floats
    process_df: Floats
    window_sd: Floats
    window_df: Floats
    session_sd: Floats
    session_df: Floats
    session_tail_df: Floats
    anchored_sd: Floats
    card_sd: Floats
    card_df: Floats
    scales: Bools

    @classmethod
    def of(cls, priors: Sequence[Prior]) -> Priors:
        """Those of *priors*, one a comparison."""
        distinct = {id(one): one for one in priors}
        places = {key: place for place, key in enumerate(distinct)}
        which = np.array([places[id(one)] for one in priors])
        names = [name for name in cls.__slots__ if name != "scales"]
        fields = {
            name: np.array([getattr(one, name) for one in distinct.values()])[which]
            for name in names
        }
        scales = np.array([one.scales_with_windows for one in distinct.values()])
        return cls(**fields, scales=scales[which])


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """What the processes of a comparison say about the variance between them."""

    squares: Floats
    """Sum of squares of process locations around their sessions."""
    df: Floats
    expected: Floats
    """What the profile expects of the mean square."""
    expected_df: Floats
    between: Floats
    """The part of it that is not explained by windows."""
    scale: Floats
    """By how much noisier than its profile the machine is, where windows tell."""


class Family:
    """Sums over the processes and sessions of every comparison."""

    def __init__(self, processes: Processes, priors: Priors) -> None:
        self.processes, self.priors = processes, priors
        self._explained: Bools | None = None
        size, sessions = processes.size, len(processes.comparison)
        self.of_process = processes.comparison[processes.session]
        self.side = 2 * processes.comparison + processes.candidate
        self.per_session = total(None, processes.session, sessions)
        self.means = total(processes.location, processes.session, sessions) / self.per_session
        self.sessions = total(None, self.side, 2 * size)
        self.share = total(1 / self.per_session, self.side, 2 * size) / self.sessions**2
        """Variance of a side's location per variance of a process."""
        self.measured: Floats = np.ones(len(self.of_process))
        """0 for what stands for a limit, which no process measured."""
        if processes.limit is not None:
            self.share[::2][processes.limit] = 0.0
            stands = processes.limit[self.of_process] & ~processes.candidate[processes.session]
            self.measured[stands] = 0.0

    def noise(self) -> Noise:
        """What is known of the variance between processes before it is moderated."""
        processes, priors, size = self.processes, self.priors, self.processes.size
        within_squares = total(processes.squares, self.of_process, size)
        within_df = total(processes.kept - 1, self.of_process, size)
        within = moderated(priors.window_sd**2, priors.window_df, within_squares, within_df)
        scale = np.where(priors.scales, within / priors.window_sd**2, 1.0)
        errors = np.maximum(within[self.of_process] / processes.kept, processes.stated**2)
        error = total(errors * self.measured, self.of_process, size)
        error /= total(self.measured, self.of_process, size)
        between = priors.process_sd**2 * scale
        _, df = combined([(between, priors.process_df), (error, priors.window_df + within_df)])
        off = processes.location - self.means[processes.session]
        return Noise(
            squares=total(off**2, self.of_process, size),
            df=total(self.per_session - 1, processes.comparison, size),
            expected=between + error,
            expected_df=df,
            between=between,
            scale=scale,
        )

    def allowances(self, noise: Noise) -> tuple[Allowance, Allowance]:
        """What the profile allows for between sessions, and once anchors are taken off."""
        priors = self.priors
        plain, held = (
            Allowance(sd**2 * noise.scale, priors.session_df, priors.session_tail_df)
            for sd in (priors.session_sd, priors.anchored_sd)
        )
        return plain, held

    def contrasts(
        self,
        noise: Noise,
        prior: tuple[Floats, Floats],
        same_cards: Bools,
        left: Allowance | None = None,
    ) -> Contrasts:
        """Locations and variance components, given the expected variance of a process.

        Args:
            noise: as :meth:`noise` found it.
            prior: variance of a process's location expected beforehand, and what it is worth
                in degrees of freedom.
            same_cards: whether both sides were measured on the very same devices.
            left: what anchors leave of sessions, where more is known of it than the profile says.
        """
        process = moderated(*prior, noise.squares, noise.df)
        assumed = np.where(noise.df > 0, np.nan, np.sqrt(noise.between))
        processes = Variance(process, prior[1] + noise.df, assumed)
        plain, held = self._sessions(process, noise, left)
        chosen = self._explained if self._explained is not None else self._anchors_explain(noise)
        self._explained = chosen
        session = Sessions.either(chosen, held, plain)
        apart = ~self.processes.same_session
        shares = np.where(np.repeat(apart, 2), 1 / self.sessions, 0.0)
        terms = [
            _term("processes", processes, self.share),
            _term("sessions", session.left, shares),
            _term("anchors", session.error, shares),
        ]
        if not same_cards.all():
            cards = self.priors.card_sd**2 * noise.scale
            variance = Variance(cards, self.priors.card_df, np.sqrt(cards))
            terms.append(_term("cards", variance, np.repeat(np.where(same_cards, 0.0, 1.0), 2)))
        baseline, candidate = plain.locations.T
        moved = np.where(chosen & apart, np.nan_to_num(moved_by(plain, held)), 0.0)
        return Contrasts(baseline, candidate - moved, moved, chosen & apart, tuple(terms))

    def _sessions(
        self, process: Floats, noise: Noise, left: Allowance | None = None
    ) -> tuple[Sessions, Sessions]:
        """Sessions as they are, and with their anchors taken off."""
        anchor, errors = self._anchors()
        plain, held = self.allowances(noise)
        return (
            self._between_sessions(self.means, np.zeros_like(self.means), process, plain),
            self._between_sessions(self.means - anchor, errors, process, left or held),
        )

    def _anchors_explain(self, noise: Noise) -> Bools:
        """Whether sessions vary less with the anchors taken off; the family has no say in it."""
        process = moderated(noise.expected, noise.expected_df, noise.squares, noise.df)
        plain, held = self._sessions(process, noise)
        return np.asarray(held.variance < plain.variance)  # False where an anchor is missing

    def _anchors(self) -> tuple[Floats, Floats]:
        """Anchors of sessions, less that of the comparison's first; NaN unless all have one."""
        processes = self.processes
        first = np.zeros(processes.size)
        first[processes.comparison[::-1]] = processes.anchor[::-1]
        return processes.anchor - first[processes.comparison], processes.anchor_error

    def _between_sessions(
        self, means: Floats, errors: Floats, process: Floats, allowed: Allowance
    ) -> Sessions:
        """Variance between sessions, moderated by what is allowed for.

        What differing processes and the anchors' own error bring into the spread of session
        means is taken off. What is left is known the less surely the more that was: degrees of
        freedom are those at which a variance would be as uncertain (Satterthwaite 1946).
        """
        sides = len(self.sessions)
        locations = total(means, self.side, sides) / self.sessions
        own = total((means - locations[self.side]) ** 2, self.side, sides)
        per = total(1 / self.per_session, self.side, sides) / self.sessions
        error = total(errors**2, self.side, sides) / self.sessions
        explained = np.repeat(process, 2) * per + error
        free = self.sessions - 1
        expected: Floats = np.repeat(allowed.value, 2)
        beyond = np.maximum(own - explained * free, -expected * free)
        likely = np.maximum(expected, beyond / np.maximum(free, 1))
        worth = (likely / (likely + explained)) ** 2
        left = allowed.moderated(of_both(beyond * worth), of_both(free * worth))
        nothing = np.full(len(left.value), np.nan)
        return Sessions(
            locations=locations.reshape(-1, 2),
            left=left,
            error=Variance(of_both(error) / 2, self.priors.session_df, nothing),
        )


def _term(source: str, variance: Variance, shares: Floats) -> Term:
    baseline, candidate = shares.reshape(-1, 2).T
    assumed = np.where(candidate > 0, variance.assumed, np.nan)
    return Term(source, variance.value * baseline, variance.value * candidate, variance.df, assumed)
