"""The fit of a whole grid, without looking at each point where that is not needed.

More requests, longer prompts and longer outputs never take less memory. So where the largest of
each fit together, all points that load the model in the same way do.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Any

from pytest_llem.plan.planned import PlannedPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.leaves import Leaf
    from pytest_llem.plan.memory.fit import Fit, Verdict
    from pytest_llem.plan.memory.fits import Fits
    from pytest_llem.plan.point import Point

SIZES = ("batch_size", "input_tokens", "output_tokens")
WITHOUT_EFFECT = frozenset({"seed", "prompts"})
MOST_KINDS = 64
"""Ways to load a model up to which the largest points are tried first."""


@dataclass(slots=True)
class Survey:
    """What was found over many points."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    most: Fit | None = None
    """The one that needs most of its device, among those whose need is known; no less than any."""
    listed: list[tuple[Point, Fit]] = field(default_factory=list)
    """Those that do not fit or are tight, in order."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Points by why nothing can be said."""


def survey(
    valid: Sequence[Point], by_path: Mapping[str, Sequence[Leaf]] | None, fits: Fits, listed: int
) -> Survey:
    """The fit of points that can be run, with at most *listed* of those that are no good.

    *by_path* are the values that they have, if that is known.
    """
    largest = [fits.of(config) for config in _largest(valid, by_path or {})]
    if largest and {fit.verdict for fit in largest} == {"fits"}:
        return Survey(Counter({"fits": len(valid)}), _fuller(*largest))
    reasons = {fit.reason for fit in largest if fit.need is None}
    if len(reasons) == 1 and all(fit.need is None for fit in largest):
        why = str(reasons.pop())
        return Survey(Counter({"unknown": len(valid)}), unknown=Counter({why: len(valid)}))
    return _each(valid, fits, listed)


def _each(points: Iterable[Point], fits: Fits, listed: int) -> Survey:
    found = Survey()
    known: list[Fit] = []
    for point in points:
        if point.config is None:
            continue
        fit = fits.of(point.config)
        found.verdicts[fit.verdict] += 1
        if fit.verdict == "unknown":
            found.unknown[str(fit.reason)] += 1
        elif fit.verdict != "fits" and len(found.listed) < listed:
            found.listed.append((point, fit))
        if fit.need is not None:
            known = [_fuller(*known, fit)]
    found.most = known[0] if known else None
    return found


def _fuller(*fits: Fit) -> Fit:
    return max(fits, key=_share)


def _share(fit: Fit) -> float:
    if fit.need is None:
        return -1.0
    return fit.need.total_bytes / (fit.room.total_bytes if fit.room else 1)


def leaves_by_path(points: Sequence[Point]) -> dict[str, list[Leaf]] | None:
    """The values that *points* have, by path, in order.

    ``None`` where a point does not tell, has arguments of its own, or others have more fields.
    """
    planned = [point for point in points if isinstance(point, PlannedPoint)]
    if not planned or len(planned) < len(points) or planned[0].own_arguments:
        return None
    rows = [point.leaves for point in planned]
    found: dict[str, list[Leaf]] = {}
    for leaf in dict.fromkeys(chain.from_iterable(rows)):
        found.setdefault(leaf.path, []).append(leaf)
    return found if sum(map(len, rows)) == len(rows) * len(found) else None


def _largest(
    points: Sequence[Point], by_path: Mapping[str, Sequence[Leaf]]
) -> list[ExperimentConfig]:
    """One experiment for each way to load a model, with the most work of all; empty if unclear."""
    if not by_path or points[0].config is None:
        return []
    deciding = {path: leaves for path, leaves in by_path.items() if _decides(path)}
    if any("." in path for path in deciding):  # options of one engine only
        return []
    sizes = _sizes(points[0].config, by_path)
    combinations = list(islice(product(*deciding.values()), MOST_KINDS + 1))
    if len(combinations) > MOST_KINDS:
        return []
    return [
        points[0].config.model_copy(update={leaf.name: leaf.value for leaf in chosen} | sizes)
        for chosen in combinations
    ]


def _decides(path: str) -> bool:
    """Whether a field may change how a model is loaded, or how much work there is."""
    return path not in (*SIZES, *WITHOUT_EFFECT) and not path.startswith("measurement.")


def _sizes(config: ExperimentConfig, by_path: Mapping[str, Sequence[Leaf]]) -> dict[str, Any]:
    return {
        name: max([leaf.value for leaf in by_path.get(name, ())] or [getattr(config, name)])
        for name in SIZES
    }
