"""Curves and instants for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from instruments.curves import Constant, Curve, Piece, Pieces, Ramp, Sine, Square, Sum

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
            st.lists(
                st.builds(Piece, PERIODS_NS, WATTS, st.none() | WATTS), min_size=1, max_size=5
            ).map(tuple),
            origin_ns=ORIGINS_NS,
        ),
    )


def curves() -> st.SearchStrategy[Curve]:
    """Any curve, and sums of up to three."""
    sums = st.lists(single_curves(), min_size=2, max_size=3).map(tuple).map(Sum)
    return single_curves() | sums
