"""Whether some requests of a pass decode while others are still in prefill."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.energy.marks import Pass, WindowMark

ROOM = 0.5
"""First tokens of a batch that is served as one come at once; half the gap between two
tokens after it, a request that has its own may be decoding."""


def overlap_of(windows: Iterable[WindowMark]) -> str:
    """Why prefill and decode cannot be cut apart, as a sentence; empty if they can.

    Said by the engine, or seen in the requests' stamps: a request that had its first token
    well before another had decoded, or waited, while the other was in prefill.
    """
    passes = [one for window in windows for one in window.passes]
    if any(one.batching == "continuous" and one.requests != 1 for one in passes):
        return (
            "The engine batches continuously, so that some requests decode while others are in "
            "prefill."
        )
    late_s = max((_apart_s(one) for one in passes if _overlaps(one)), default=0.0)
    if late_s:
        return (
            f"First tokens of a batch came up to {late_s:.3g} s apart, in which requests that had "
            "theirs may have decoded while others were in prefill."
        )
    return ""


def _overlaps(one: Pass) -> bool:
    return one.itl_s is not None and _apart_s(one) > ROOM * one.itl_s


def _apart_s(one: Pass) -> float:
    if one.first_token_ns is None or one.prefill_end_ns is None:
        return 0.0
    return (one.prefill_end_ns - one.first_token_ns) / 1e9
