"""A rule in the terms of what it is about, where those are only known once there is a result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llem.baselines.metrics import BESIDE, beside_named
from pytest_llem.baselines.samples import Sample, Side, recorded_sample
from pytest_llem.baselines.units import converted
from pytest_llem.energy.naming import QUALITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.file import BaselineSession
    from pytest_llem.baselines.rules import Rule
    from pytest_llem.energy.recorded import Recorded
    from pytest_llem.results.schema import ExperimentResult


@dataclass(frozen=True, slots=True)
class OwnTerms:
    """A rule with the unit and the direction of what it is about."""

    rule: Rule
    refuse: tuple[str, ...] = ()
    """Why it cannot be judged; empty if it can."""
    differ: tuple[str, ...] = ()
    """What differs between the sides and may."""
    unit: str = ""
    """Of a recorded figure."""


def own_terms(
    rule: Rule, measurement: str, now: BaselineSession, before: Sequence[BaselineSession]
) -> OwnTerms:
    """*rule* in the terms of what both sides know of a measurement; *before* may be empty."""
    if rule.metric.startswith(BESIDE):
        return OwnTerms(rule, tuple(_unclear(rule.metric, measurement, now)))
    if not rule.metric.startswith(QUALITY):
        return OwnTerms(rule)
    processes = now.measurements.get(measurement, ())
    theirs = [
        one.figure(rule.metric)
        for session in before
        for one in session.measurements.get(measurement, ())
    ]
    return _of_figure(
        rule,
        [one.figure(rule.metric) for one in processes],
        [one for one in theirs if one is not None],
        sorted({figure.name for one in processes for figure in one.recorded}),
    )


def recorded_limit(refused: Comparison, results: Sequence[ExperimentResult]) -> Comparison:
    """*refused*, or the comparison after all: a limit of a recorded figure needs no valid energy."""
    rule = refused.rule
    passed = all(result.outcome == "passed" for result in results)
    if rule.limit is None or not rule.metric.startswith(QUALITY) or not passed:
        return refused
    found = [{one.metric: one for one in result.recorded} for result in results]
    mine = [one.get(rule.metric) for one in found]
    own = _of_figure(rule, mine, [], sorted({one.name for each in found for one in each.values()}))
    samples = [recorded_sample(one) for one in mine if one is not None]
    return replace(
        refused,
        rule=own.rule,
        baseline=Side(sessions=((Sample((own.rule.limit or 0.0,)),),)),
        candidate=Side(sessions=(tuple(samples),) if samples else ()),
        same_session=True,
        refuse=own.refuse,
        unit=own.unit,
    )


def _unclear(metric: str, measurement: str, now: BaselineSession) -> Iterator[str]:
    """Why it is unclear which meter *metric* is of, or that there is none."""
    processes = now.measurements.get(measurement, ())
    known = sorted({name for one in processes for name in one.values if name.startswith(BESIDE)})
    named = beside_named(metric, known)
    if len(named) > 1:
        yield f"several meters' figures are called so: write {' or '.join(named)}"
    elif not named:
        meters = sorted({name.removeprefix(BESIDE).rpartition(".")[0] for name in known})
        read = (
            f"beside the first were read {', '.join(meters)}"
            if meters
            else ("no meter was read beside the first; --llem-meter=nvml,rapl reads two")
        )
        yield f"it is unknown in this run: {read}"


def _of_figure(
    rule: Rule,
    mine: Sequence[Recorded | None],
    theirs: Sequence[Recorded],
    others: Sequence[str],
) -> OwnTerms:
    """*rule* about a figure, by that of every process of this run and of the baseline."""
    name = rule.metric.removeprefix(QUALITY)
    known = [one for one in mine if one is not None]
    if len(known) < len(mine) or not known:
        return OwnTerms(rule, (_not_recorded(name, len(known), len(mine), others),))
    unit = known[-1].unit
    own, wrong = _in_unit(rule, unit)
    better = rule.better or {True: "higher", False: "lower", None: None}[known[-1].higher_is_better]
    refuse = [
        *_units(known, theirs),
        *wrong,
        *_direction(rule, better),
        *_beyond_a_share(own, known),
    ]
    settled = replace(own, better=better) if better in {"higher", "lower"} else own
    return OwnTerms(settled, tuple(refuse), tuple(_items(known, theirs)), unit)


def _not_recorded(name: str, known: int, processes: int, others: Sequence[str]) -> str:
    if known:
        return f"{known} of {processes} processes recorded it: record it in each"
    said = f"this run recorded {', '.join(others[:5])}" if others else "this run recorded nothing"
    return f"{said}; energy.record({name!r}, …) in the test does"


def _in_unit(rule: Rule, unit: str) -> tuple[Rule, list[str]]:
    """*rule* with its amounts in *unit*, or why that cannot be."""
    found = {
        field: converted(amount, rule.unit, unit)
        for field in ("limit", "absolute")
        if (amount := getattr(rule, field)) is not None
    }
    if None in found.values():
        has = f"is recorded in {unit}" if unit else "is recorded without a unit"
        return rule, [f"{rule.tolerance} is in {rule.unit}, and it {has}"]
    settled = replace(rule, limit=found.get("limit"), absolute=found.get("absolute"), unit="")
    return settled, []


def _units(known: Sequence[Recorded], theirs: Sequence[Recorded]) -> Iterator[str]:
    units = list(dict.fromkeys(one.unit or "none" for one in (*theirs, *known)))
    if len(units) > 1:
        yield f"unit {' → '.join(units)}"


def _direction(rule: Rule, better: str | None) -> Iterator[str]:
    if better is None:
        yield (
            "nobody says whether higher is better: write "
            f"{rule},higher or {rule},lower, or record it with higher_is_better=…"
        )
    elif better == "higher" and rule.limit is None and (rule.relative or 0.0) >= 1:
        yield f"{rule.tolerance} tolerates that it falls by all of its value: write less than 100%"


def _beyond_a_share(rule: Rule, known: Sequence[Recorded]) -> Iterator[str]:
    if rule.limit is not None and all(one.share for one in known) and not 0 <= rule.limit <= 1:
        yield f"{rule.tolerance} is no share: write it from 0 to 1, or in percent"


def _items(known: Sequence[Recorded], theirs: Sequence[Recorded]) -> Iterator[str]:
    counts = [{one.items for one in side} for side in (theirs, known)]
    if theirs and counts[0] != counts[1]:
        before, now = (
            " and ".join("none" if one is None else str(one) for one in sorted(side, key=str))
            for side in counts
        )
        yield f"items {before} → {now}"
