"""Marks that contradict each other, so that nothing can be cut at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.energy.marks import Pass, WindowMark


def contradiction_in(windows: Iterable[WindowMark]) -> str:
    """The first contradiction among the marks of passes, as a sentence; empty if there is none."""
    for window in windows:
        before_ns = window.start_ns
        for number, one in enumerate(window.passes):
            if reason := _wrong(one) or _outside(one, before_ns, window.end_ns):
                return (
                    f"Pass {number} of {window.phase} window {window.index} contradicts itself: "
                    f"{reason}. The engine's clock is not that of the marks, or it stamps other "
                    "requests."
                )
            before_ns = one.end_ns
    return ""


def _wrong(one: Pass) -> str:
    if one.end_ns <= one.start_ns:
        return "it ends no later than it begins"
    if one.prefill_end_ns is None:
        return ""
    if one.prefill_end_ns < one.start_ns:
        return f"prefill ends {_s(one.prefill_end_ns, one.start_ns)} before it begins"
    if one.prefill_end_ns > one.end_ns:
        return f"prefill ends {_s(one.end_ns, one.prefill_end_ns)} after it has ended"
    if one.first_token_ns is not None and one.first_token_ns > one.prefill_end_ns:
        late = _s(one.prefill_end_ns, one.first_token_ns)
        return f"its first token comes {late} after the last request had one"
    return ""


def _outside(one: Pass, before_ns: int, end_ns: int) -> str:
    """*before_ns* is when the pass before ended, or the window began."""
    if one.start_ns < before_ns:
        return f"it begins {_s(one.start_ns, before_ns)} before the window or the pass before"
    if one.end_ns > end_ns:
        return f"it ends {_s(end_ns, one.end_ns)} after the window"
    return ""


def _s(first_ns: int, last_ns: int) -> str:
    return f"{(last_ns - first_ns) / 1e9:.3g} s"
