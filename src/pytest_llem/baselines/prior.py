"""What is assumed about noise before any of it was seen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_llem.results.schema import Stored

Profile = Literal["measured", "estimated"]


class Prior(Stored):
    """Standard deviations of the logarithm, so 0.01 is one percent, and their weights.

    A variance is moderated towards its prior as in Smyth (2004), "Linear models and
    empirical Bayes methods for assessing differential expression in microarray
    experiments", section 3: the degrees of freedom of the prior say how many of the
    data's own it is worth. They also are the degrees of freedom of the test where
    there is nothing but the prior.
    """

    process_sd: float = Field(gt=0)
    """Between fresh processes of one session."""
    process_df: float = Field(gt=0)
    window_sd: float = Field(gt=0)
    """Between windows of one process."""
    window_df: float = Field(gt=0)
    session_sd: float = Field(gt=0)
    """Between sessions on the same device."""
    session_df: float = Field(gt=0)
    """What the allowance weighs where a history of sessions speaks too."""
    session_tail_df: float = Field(gt=0)
    """Degrees of freedom of the test where nothing but the allowance is known: more than it
    weighs, since it is taken for more than is usual, not for an estimate."""
    anchored_sd: float = Field(gt=0)
    """Between sessions on the same device once anchors are taken off, beyond their own error."""
    card_sd: float = Field(gt=0)
    """Between devices of the same model."""
    card_df: float = Field(gt=0)
    scales_with_windows: bool = False
    """Whether the other variances rise and fall with that of the windows, which then
    tells how noisy the machine was."""


MEASURED = Prior(
    process_sd=0.01,
    process_df=4,
    window_sd=0.015,
    window_df=4,
    session_sd=0.01,
    session_df=30,
    session_tail_df=100,
    anchored_sd=0.0028,
    card_sd=0.035,
    card_df=10,
)
"""For energy read from a device. Token-counted J/token varies by 1.5-1.9 % between runs
and by 0.1-1.2 % over long windows: 1 % between processes, 1.5 % between short windows.
Few degrees of freedom let a handful of repeats overrule both. Between sessions 1 % is
an allowance, about twice what is usual, so it weighs much and has many; anchors may leave
somewhat more than half of what is usual. Cards: 8 %
between the extremes of one model (Sinha et al., SC 2022, arXiv 2208.11035) is about
2 % as a standard deviation; a sensor's gain of ±5 % (arXiv 2312.02741), which only
cancels on the same card, adds 2.9 %."""

ESTIMATED = Prior(
    process_sd=0.08,
    process_df=4,
    window_sd=0.04,
    window_df=4,
    session_sd=0.08,
    session_df=10,
    session_tail_df=10,
    anchored_sd=0.02,
    card_sd=0.035,
    card_df=10,
    scales_with_windows=True,
)
"""For energy estimated from CPU time, which is shared with whatever else runs: caches,
hyper-threads and clocks. On a 4-core virtual machine CPU seconds per token of a 6-layer
transformer varied by 3-5 % between 1 s windows and 5-8 % between fresh processes while
the neighbours were calm, and by 15 % and 20 % while they were not: what is slow is
about twice as large as what is fast, so the windows say how much to expect. It does not
cover a neighbour who comes or goes for good between two sessions: that doubled the CPU time
of a token on the same machine."""

PRIORS: dict[Profile, Prior] = {"measured": MEASURED, "estimated": ESTIMATED}
