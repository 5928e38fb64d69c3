"""The verdict on every comparison of a family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.assessment import ALPHA, assess, reasons_against
from pytest_llem.baselines.explaining import Finding, explain, typical
from pytest_llem.baselines.family import FAMILY_ALPHA, Hypothesis, decide
from pytest_llem.baselines.prior import PRIORS
from pytest_llem.baselines.verdict import Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.baselines.assessment import Assessment
    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.family import Family
    from pytest_llem.baselines.prior import Prior, Profile


def judge(
    comparisons: Sequence[Comparison],
    *,
    family_size: int | None = None,
    priors: Mapping[Profile, Prior] = PRIORS,
) -> list[Judgement]:
    """The verdict on every comparison, in the order given.

    - ``regressed``: worse than the tolerance, with at most 1 % chance that anything in
      the family is called so wrongly.
    - ``improved``, else ``pass``: better by more than the tolerance, or not worse than
      it, each one-sided at 5 % per comparison.
    - ``inconclusive`` otherwise; ``incomparable`` and ``new`` as the comparison says.

    The process is the unit of replication and every variance has a prior, so that one
    process a side is enough. Where the baseline is of another session, the variance
    between sessions counts.

    *family_size* is the number of experiments gated together. While some of them are
    missing, a verdict that they could still change is not ``final``, and reads
    ``inconclusive``. A final verdict stays whatever they bring, provided that all
    comparisons of an experiment are given together and that there are no more
    experiments than *family_size*. ``None`` says that the family is complete.
    """
    assessments = [assess(one, priors[one.profile]) for one in comparisons]
    gated = {
        position: Hypothesis(comparisons[position].experiment, found.p_worse)
        for position, found in enumerate(assessments)
        if found is not None and not comparisons[position].rule.informational
    }
    known = len({comparison.experiment for comparison in comparisons})
    family = decide(list(gated.values()), max(0, (family_size or 0) - known))
    places = {position: place for place, position in enumerate(gated)}
    return [
        _judgement(comparison, found, family, places.get(position))
        for position, (comparison, found) in enumerate(zip(comparisons, assessments, strict=True))
    ]


def _judgement(
    comparison: Comparison,
    found: Assessment | None,
    family: Family,
    place: int | None,
) -> Judgement:
    """One verdict; *place* is that of the comparison in the family, ``None`` if not gated."""
    level = FAMILY_ALPHA if place is None else family.levels[place]
    if found is None:
        verdict: Verdict = "incomparable" if reasons_against(comparison) else "new"
    else:
        certain = found.p_worse <= FAMILY_ALPHA if place is None else place in family.certain
        verdict = _verdict(found, certain=certain)
    detectable = None if found is None else found.detectable(level)
    return Judgement(
        verdict=verdict,
        metric=comparison.rule.metric,
        measurement=comparison.measurement,
        candidate=typical(comparison.candidate),
        baseline=typical(comparison.baseline),
        change=None if found is None else found.change,
        interval=None if found is None else found.interval,
        tolerance=comparison.rule.tolerance,
        minimum_detectable_change=detectable,
        explanation=explain(comparison, Finding(verdict, found, detectable)),
        final=place is None or family.decided(place),
        gated=not comparison.rule.informational,
    )


def _verdict(found: Assessment, *, certain: bool) -> Verdict:
    if certain:
        return "regressed"
    if found.p_better <= ALPHA:
        return "improved"
    return "pass" if found.p_within <= ALPHA else "inconclusive"
