"""Curves and instants for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from instruments.curves import Constant, Curve, Piece, Pieces, Ramp, Sine, Square, Sum
from instruments.refresh import Refresh

Watts = st.SearchStrategy[float]

WATTS = st.floats(min_value=0.5, max_value=1500.0)
PERIODS_NS = st.integers(min_value=1_000, max_value=20_000_000_000)
INSTANTS_NS = st.integers(min_value=0, max_value=10**15)  # 11 days of uptime
ORIGINS_NS = st.integers(min_value=-(10**12), max_value=10**15)
PHASES_NS = st.integers(min_value=-(10**10), max_value=10**10)


@st.composite
def sines(draw: st.DrawFn) -> Sine:
    middle_w = draw(WATTS)
    return Sine(
        middle_w=middle_w,
        amplitude_w=middle_w * draw(st.floats(min_value=0.0, max_value=0.95)),
        period_ns=draw(PERIODS_NS),
        phase_ns=draw(PHASES_NS),
        origin_ns=draw(ORIGINS_NS),
    )


@st.composite
def pieces(draw: st.DrawFn, lengths_ns: st.SearchStrategy[int], watts: Watts = WATTS) -> Piece:
    """A constant, a straight line or an exponential approach."""
    duration_ns, start_w = draw(lengths_ns), draw(watts)
    kind = draw(st.sampled_from(["constant", "straight", "exponential"]))
    if kind == "constant":
        return Piece(duration_ns, start_w)
    tau = draw(st.floats(min_value=0.02, max_value=5.0)) if kind == "exponential" else 0.0
    return Piece(
        duration_ns, start_w, draw(watts), max(round(tau * duration_ns), 1) if tau else None
    )


def loads() -> st.SearchStrategy[Pieces]:
    """What an accelerator may draw: pieces of 5 ms to 2 s between idle and its limit, repeated.

    Neighbouring pieces need not meet, so that power jumps as well as it bends.
    """
    lengths_ns = st.integers(min_value=5, max_value=2000).map(lambda ms: ms * 1_000_000)
    watts = st.floats(min_value=40.0, max_value=700.0)
    parts = st.lists(pieces(lengths_ns, watts), min_size=1, max_size=6).map(tuple)
    return st.builds(Pieces, parts, origin_ns=st.integers(min_value=0, max_value=10**10))


@st.composite
def refreshes(draw: st.DrawFn) -> Refresh:
    """Any instrument's refreshing; without a period it shows each instant as it is."""
    period_ns = draw(st.just(0) | PERIODS_NS)
    return Refresh(
        period_ns=period_ns,
        phase_ns=draw(st.integers(min_value=0, max_value=10**10)),
        jitter_ns=draw(st.integers(min_value=0, max_value=max(period_ns - 1, 0))),
        seed=draw(st.integers(min_value=0, max_value=2**63)),
    )


def single_curves() -> st.SearchStrategy[Curve]:
    return st.one_of(
        st.builds(Constant, WATTS),
        st.builds(
            Square,
            low_w=WATTS,
            high_w=WATTS,
            period_ns=PERIODS_NS,
            duty=st.floats(min_value=0.0, max_value=1.0),
            phase_ns=PHASES_NS,
            origin_ns=ORIGINS_NS,
        ),
        st.builds(Ramp, start_w=WATTS, end_w=WATTS, duration_ns=PERIODS_NS, origin_ns=ORIGINS_NS),
        sines(),
        st.builds(
            Pieces,
            st.lists(pieces(PERIODS_NS), min_size=1, max_size=5).map(tuple),
            origin_ns=ORIGINS_NS,
        ),
    )


def curves() -> st.SearchStrategy[Curve]:
    """Any curve, and sums of up to three."""
    sums = st.lists(single_curves(), min_size=2, max_size=3).map(tuple).map(Sum)
    return single_curves() | sums
