"""Whether the power of devices under a load stands still, from whole passes to whole passes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.marks import Criterion
from pytest_llem.energy.warm_up.course import mean_powers_w
from pytest_llem.energy.warm_up.load import SECOND_NS
from pytest_llem.energy.warm_up.trend import LEAST_POINTS, trend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.warm_up.course import Course
    from pytest_llem.energy.warm_up.load import Load
    from pytest_llem.energy.warm_up.trend import Trend

MOST_DRIFT = 0.02
"""Power may change by so much, relative to itself, while the windows are measured."""
BLIND = 0.05
"""Where power scatters, a drift that cannot be told from none is let pass once it is known to
this half-width; windows that scatter so much state it in their own uncertainty."""
SHARES = (1.0, 0.5, 0.25)
"""What later shares of the time since the first pass are looked at; one of them is enough."""
BLOCKS = 8
"""Into how many blocks of whole passes a stretch of time is cut."""
LEAST_BLOCK_NS = 200_000_000
"""A shorter block is not told from its neighbours by a counter that refreshes every 100 ms."""
REFRESHES = 1.5
"""So often has energy to be known in a block: between two refreshes all power looks level."""
LONGEST_NS = 120 * SECOND_NS
"""No more than this is looked back, or as long as it takes to see enough passes."""


def power_drift(courses: Mapping[str, Course], load: Load, now_ns: int) -> Criterion:
    """Whether the mean power of whole passes shows no trend, in sum and of each device.

    The first pass is left out, since things are made ready in it. Of the time since, all,
    the later half or the last quarter is cut into blocks of whole passes, so that what alternates within a
    pass is in each of them alike. Their mean powers may show no trend: either its whole
    95 % interval is below ``MOST_DRIFT`` over the windows to come, or there is no
    significant one, known to less than ``BLIND``. A device's own drift counts relative to
    the power of all of them.

    Args:
        courses: of the devices, by their UUIDs.
        load: what runs on them.
        now_ns: until when was read.
    """
    ends_ns = _ends_ns(list(courses.values()), load, now_ns)
    if len(ends_ns) <= LEAST_POINTS:
        return _unknown()
    parts = [_later(ends_ns, share) for share in SHARES]
    looked = [_look(courses, _blocks(ends, courses), load.horizon_s()) for ends in parts]
    known = [one for one in looked if one is not None]
    if not known:
        return _unknown()
    return next((one for one in known if one.holds), known[-1])


def _unknown() -> Criterion:
    return Criterion(
        name="power",
        holds=False,
        limit=MOST_DRIFT,
        reason="too few passes or refreshes to see a trend of power",
    )


def _ends_ns(courses: Sequence[Course], load: Load, now_ns: int) -> Sequence[int]:
    """Ends of the passes that are looked at, as far as all courses are known."""
    if len(load.ends_ns) <= LEAST_POINTS or not all(course.times_ns for course in courses):
        return []
    first_ns = max(load.ends_ns[0], now_ns - LONGEST_NS)
    first_ns = min(first_ns, load.ends_ns[-LEAST_POINTS - 1])
    known_ns = max(first_ns, *(course.times_ns[0] for course in courses))
    last_ns = min(now_ns, *(course.times_ns[-1] for course in courses))
    return load.ends_ns[bisect_left(load.ends_ns, known_ns) : bisect_right(load.ends_ns, last_ns)]


def _later(ends_ns: Sequence[int], share: float) -> Sequence[int]:
    """The passes of a later share of the time, or the fewest that show a trend."""
    first = bisect_left(ends_ns, ends_ns[-1] - share * (ends_ns[-1] - ends_ns[0]))
    return ends_ns[min(first, len(ends_ns) - LEAST_POINTS - 1) :]


def _blocks(ends_ns: Sequence[int], courses: Mapping[str, Course]) -> list[int]:
    """Ends of passes, at about equal distances; none if too few blocks can be told apart."""
    first_ns, last_ns = ends_ns[0], ends_ns[-1]
    nodes = min(course.nodes_between(first_ns, last_ns) for course in courses.values())
    seen = int(nodes / REFRESHES)
    count = min((last_ns - first_ns) // LEAST_BLOCK_NS, seen, BLOCKS)
    if count < LEAST_POINTS:
        return []
    wanted = [first_ns + (last_ns - first_ns) * i / count for i in range(count + 1)]
    return sorted({_nearest(ends_ns, time_ns) for time_ns in wanted})


def _nearest(ends_ns: Sequence[int], time_ns: float) -> int:
    after = bisect_left(ends_ns, time_ns)
    near = ends_ns[max(after - 1, 0) : after + 1]
    return min(near, key=lambda end_ns: abs(end_ns - time_ns))


class _Drift(NamedTuple):
    """What the power of one device, or of all, does over the windows to come, relative."""

    whose: str
    drift: float
    known: float
    """Half-width of its 95 % interval."""
    holds: bool


def _look(courses: Mapping[str, Course], edges_ns: list[int], horizon_s: float) -> Criterion | None:
    """What blocks of passes say; ``None`` if they are too few."""
    if len(edges_ns) <= LEAST_POINTS:
        return None
    powers_w = mean_powers_w(list(courses.values()), edges_ns)
    if (mean_w := fmean(powers_w)) <= 0:
        return Criterion(name="power", holds=None, reason="the devices show no power")
    scale = horizon_s / mean_w
    long = (edges_ns[-1] - edges_ns[0]) / SECOND_NS >= horizon_s
    drifts = [_drift("", trend(_middles_s(edges_ns), powers_w), scale, long=long)]
    if len(courses) > 1:
        for uuid, course in courses.items():
            found = trend(_middles_s(edges_ns), mean_powers_w([course], edges_ns))
            drifts.append(_drift(f" of {uuid}", found, scale, long=long))
    worst = next((one for one in drifts if not one.holds), drifts[0])
    return Criterion(
        name="power",
        holds=worst.holds,
        value=worst.drift,
        limit=MOST_DRIFT,
        reason=f"power{worst.whose} drifts by {worst.drift:+.1%} ± {worst.known:.1%} of "
        f"{mean_w:.3g} W in {horizon_s:.3g} s, {MOST_DRIFT:.0%} allowed",
    )


def _middles_s(edges_ns: Sequence[int]) -> list[float]:
    return [(a + b) / 2 / SECOND_NS for a, b in pairwise(edges_ns)]


def _drift(whose: str, found: Trend, scale: float, *, long: bool) -> _Drift:
    """*long* is whether was looked for as long as is looked ahead."""
    known = found.half_width * scale
    blind = long and not found.significant and known <= BLIND
    holds = found.farthest * scale <= MOST_DRIFT or blind
    return _Drift(whose, found.slope * scale, known, holds)
