"""The verdict on every comparison of a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.baselines.assessment import (
    Assessment,
    Circumstances,
    assess,
    reasons_against,
    testable,
)
from pytest_llem.baselines.explaining import Finding, explain, lies
from pytest_llem.baselines.family import ALPHA, FAMILY_ALPHA, Hypothesis, decide
from pytest_llem.baselines.prior import PRIORS
from pytest_llem.baselines.recorded.assessing import assess_recorded
from pytest_llem.baselines.verdict import Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.family import Family
    from pytest_llem.baselines.looks import Looks
    from pytest_llem.baselines.prior import Prior, Profile
    from pytest_llem.baselines.recorded.assessing import Distances


def judge(
    comparisons: Sequence[Comparison],
    *,
    family_size: int | None = None,
    priors: Mapping[Profile, Prior] = PRIORS,
    looks: Looks | None = None,
) -> list[Judgement]:
    """The verdict on every comparison, in the order given.

    - ``regressed``: worse than the tolerance, with at most 1 % chance that anything in
      the family is called so wrongly.
    - ``improved``, else ``pass``: better by more than the tolerance, or not worse than
      it, each one-sided at 5 % per comparison.
    - ``inconclusive`` otherwise; ``incomparable`` and ``new`` as the comparison says.

    The process is the unit of replication and every variance has a prior, so that one
    process a side is enough; that of processes is moderated by what the whole family shows.
    Where the baseline is of another session, the variance between sessions counts.

    *family_size* is the number of experiments gated together. While some of them are
    missing, only what is clear by the profile's prior is told, at a share of the error
    rate; the rest is not ``final``, and reads ``inconclusive``. A final verdict stays
    whatever they bring, but for a ``pass`` that may turn out ``improved``, provided that all
    comparisons of an experiment are given together and that there are no more experiments
    than *family_size*. ``None`` says that the family is complete.

    Figures that tests recorded are judged by differences, in the same family, and by the processes
    of the first look.

    *looks* are the numbers of processes at which is looked, if more than once: what the
    candidates have up to a look counts there, and what is beyond the last full look does not.
    """
    known = len({comparison.experiment for comparison in comparisons})
    missing = max(0, (family_size or 0) - known)
    among = Circumstances(priors, complete=not missing, looks=looks)
    positions = [position for position, one in enumerate(comparisons) if testable(one)]
    found = _assessed({one: comparisons[one] for one in positions}, among, known + missing)
    gated = [one for one in positions if not comparisons[one].rule.informational]
    hypotheses = [Hypothesis(comparisons[one].experiment, found[one].p_worse) for one in gated]
    family = decide(hypotheses, missing)
    places = {position: place for place, position in enumerate(gated)}
    return [
        _judgement(comparison, found.get(position), _Place(family, places.get(position), among))
        for position, comparison in enumerate(comparisons)
    ]


def _assessed(
    comparisons: Mapping[int, Comparison], among: Circumstances, experiments: int
) -> dict[int, Assessment | Distances]:
    """The tests of testable comparisons: those of recorded figures on their own scale."""
    found: dict[int, Assessment | Distances] = {}
    first = among.looks.processes[0] if among.looks else None
    by_ratio = {}
    for position, one in comparisons.items():
        if one.is_recorded:
            found[position] = assess_recorded(one, first)
        else:
            by_ratio[position] = one
    if by_ratio:
        tested = assess(list(by_ratio.values()), among, experiments)
        found |= dict(zip(by_ratio, tested, strict=True))
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in its family a comparison stands."""

    family: Family
    place: int | None
    """``None`` if it is not gated."""
    among: Circumstances

    @property
    def level(self) -> float:
        return FAMILY_ALPHA if self.place is None else self.family.levels[self.place]

    def rejects(self, p_worse: float) -> bool:
        if self.place is None:
            return p_worse <= FAMILY_ALPHA
        return self.place in self.family.certain

    def is_final(self, verdict: Verdict) -> bool:
        """Whether the rest of the family cannot change what becomes of it."""
        return self.place is None or self.among.complete or verdict != "inconclusive"


def _judgement(
    comparison: Comparison, found: Assessment | Distances | None, place: _Place
) -> Judgement:
    if found is None:
        verdict: Verdict = "incomparable" if reasons_against(comparison) else "new"
    else:
        verdict = _verdict(found, certain=place.rejects(found.p_worse))
        if verdict == "improved" and comparison.rule.limit is not None:
            verdict = "pass"
    detectable = None if found is None else found.detectable(place.level)
    limit = None
    if isinstance(found, Assessment) and not comparison.same_session:
        limit = found.limit(place.level)
    looks = place.among.looks
    straddles = verdict == "inconclusive" and looks is not None
    return Judgement(
        verdict=verdict,
        metric=comparison.rule.metric,
        measurement=comparison.measurement,
        candidate=found.candidate if found else lies(comparison, comparison.candidate),
        baseline=found.baseline if found else lies(comparison, comparison.baseline),
        change=None if found is None else found.change,
        interval=None if found is None else found.interval,
        tolerance=comparison.rule.tolerance,
        minimum_detectable_change=detectable,
        explanation=explain(comparison, Finding(verdict, found, detectable, limit)),
        final=place.is_final(verdict),
        gated=not comparison.rule.informational,
        is_limit=comparison.rule.limit is not None,
        undecided=straddles and found is not None and not found.hopeless,
    )


def _verdict(found: Assessment | Distances, *, certain: bool) -> Verdict:
    if certain:
        return "regressed"
    if found.p_better <= ALPHA:
        return "improved"
    return "pass" if found.p_within <= ALPHA else "inconclusive"
