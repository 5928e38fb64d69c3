"""From results and the sessions of a baseline to comparisons, ready to be judged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.anchors import Cancelling, cancelling
from pytest_llem.baselines.comparison import Comparison
from pytest_llem.baselines.decomposition import factor_errors_of, factors_of
from pytest_llem.baselines.differences import Differences, compare_fingerprints
from pytest_llem.baselines.matching import DEFAULT, Policy
from pytest_llem.baselines.metrics import BESIDE, INFORMING, beside_named
from pytest_llem.baselines.recorded.terms import OwnTerms, own_terms, recorded_limit
from pytest_llem.baselines.rules import Rule, informational_rule
from pytest_llem.baselines.samples import Sample, Side
from pytest_llem.baselines.sessions import identity_of_result, refusal, session_of, side_of
from pytest_llem.energy.naming import QUALITY
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llem.baselines.anchors import AnchorReading
    from pytest_llem.baselines.file import BaselineSession, Entry
    from pytest_llem.baselines.fingerprint import Fingerprint
    from pytest_llem.results.schema import ExperimentResult


def compare(  # noqa: PLR0913 - what a comparison is made of
    results: Sequence[ExperimentResult],
    entry: Entry | None,
    rules: Iterable[Rule],
    environment: Mapping[str, Any],
    *,
    policy: Policy = DEFAULT,
    anchors: Sequence[AnchorReading] = (),
    no_anchors: str = "",
) -> list[Comparison]:
    """The comparisons of one experiment with its baseline.

    *results* are its processes in this run, *environment* the snapshot they were
    made in, *entry* its baseline or ``None``, *policy* says what becomes of what differs
    between the two, *anchors* what they took in this run, *no_anchors* why there are none, if
    there are none. Every rule gives a comparison for the headline, and one for each further
    measurement in which its metric is known.

    Raises:
        ConfigError: *results* are not the processes of one experiment.
    """
    experiments = {f"{result.group}:{identity_of_result(result)}" for result in results}
    if len(experiments) != 1:
        raise ConfigError(f"a comparison is about one experiment, not about {len(experiments)}.")
    experiment = experiments.pop()
    if (reason := refusal(results, environment)) is not None:
        return [
            recorded_limit(_refused(experiment, results[0], rule, reason), results)
            for rule in rules
        ]
    session = session_of(results, environment, anchors)
    known = {name: None for one in _current(entry) for name in one.measurements}
    return [
        _compared(experiment, session, entry, name, rule, policy, no_anchors)
        for position, name in enumerate({**dict.fromkeys(session.measurements), **known})
        for rule in (_applicable(declared, [session, *_current(entry)], name) for declared in rules)
        if not position or _due(rule, name, [session, *_current(entry)])
    ]


def _current(entry: Entry | None) -> tuple[BaselineSession, ...]:
    return entry.current if entry else ()


def _due(rule: Rule, measurement: str, sessions: Sequence[BaselineSession]) -> bool:
    """Whether a further measurement is compared: a gated one also if only one side knows it."""
    asked = sessions[:1] if rule.informational else sessions
    return any(session.samples(measurement, rule.metric) for session in asked)


def _refused(experiment: str, result: ExperimentResult, rule: Rule, reason: str) -> Comparison:
    headline = result.headline
    return Comparison(
        experiment=experiment,
        measurement="workload" if headline is None else headline.name,
        rule=rule,
        profile="measured" if headline is None or not headline.estimated else "estimated",
        baseline=None,
        candidate=Side(sessions=()),
        refuse=(f"in this run {reason}",),
    )


def _applicable(rule: Rule, sessions: Sequence[BaselineSession], measurement: str) -> Rule:
    """*rule* as it is about a measurement; the session of now is the first.

    Without a declared gate that is the comparison that the measurement allows, and a rule about a
    meter beside the first gets the meter's whole name, if that is clear.
    """
    if rule.metric.startswith(BESIDE):
        known = dict.fromkeys(
            name
            for one in sessions
            for each in one.measurements.get(measurement, ())
            for name in each.values
        )
        named = beside_named(rule.metric, known)
        return replace(rule, metric=named[0]) if len(named) == 1 else rule
    if not rule.informational:
        return rule
    known_here = (metric for metric in INFORMING if sessions[0].samples(measurement, metric))
    return informational_rule(next(known_here, rule.metric))


def _compared(  # noqa: PLR0913, PLR0917 - what a comparison is made of
    experiment: str,
    now: BaselineSession,
    entry: Entry | None,
    measurement: str,
    rule: Rule,
    policy: Policy,
    no_anchors: str,
) -> Comparison:
    before, differences = _comparable(entry, now, measurement, policy, rule.metric)
    own = own_terms(rule, measurement, now, before)
    rule = own.rule
    if rule.limit is not None:
        return _limited(experiment, now, measurement, own)
    cancels = _cancelling(before, now, measurement, rule.metric, no_anchors)
    sides = _sides(before, now, measurement, rule.metric, cancels)
    work, read = now.fingerprint.work.get(measurement), now.fingerprint.read_as(rule.metric)
    unknown = _unknown(rule.metric, *sides) if before else _unknown(rule.metric, sides[1])
    return Comparison(
        experiment=experiment,
        measurement=measurement,
        rule=rule,
        profile="estimated" if read.estimated else "measured",
        baseline=sides[0] if before else None,
        candidate=sides[1],
        same_cards=all(one.fingerprint.read_as(rule.metric).same_cards(read) for one in before),
        refuse=(
            *differences.refuse,
            *_other_total(before, now, measurement, rule.metric),
            *(own.refuse or unknown),
        ),
        differ=(*differences.differ, *own.differ),
        factors=dict(factors_of(before, now, measurement)),
        factor_errors=dict(factor_errors_of(before, now, measurement)),
        output_tokens=work.output_tokens if work else None,
        loops=dict(cancels.moved),
        no_anchors=cancels.why_not,
        unit=own.unit,
    )


def _limited(experiment: str, now: BaselineSession, measurement: str, own: OwnTerms) -> Comparison:
    """A comparison with a limit, which is known exactly and has no days."""
    rule = own.rule
    assert rule.limit is not None  # noqa: S101 - only such rules are given
    candidate = side_of([now], measurement, rule.metric)
    read = now.fingerprint.read_as(rule.metric)
    return Comparison(
        experiment=experiment,
        measurement=measurement,
        rule=rule,
        profile="estimated" if read.estimated else "measured",
        baseline=Side(sessions=((Sample((rule.limit,)),),)),
        candidate=candidate,
        same_session=True,
        refuse=own.refuse or tuple(_unknown(rule.metric, candidate)),
        unit=own.unit,
    )


def _comparable(
    entry: Entry | None, now: BaselineSession, measurement: str, policy: Policy, metric: str
) -> tuple[list[BaselineSession], Differences]:
    """The sessions of the baseline that compare with *now*, and how the latest differs.

    If none of them compares, that is the latest alone, and it says why.
    """
    before = [one for one in entry.current if measurement in one.measurements] if entry else []
    found = [(one, _differences(one, now, measurement, policy, metric)) for one in before]
    usable = [(one, differences) for one, differences in found if not differences.refuse]
    chosen = usable or found[-1:]
    if not chosen:
        return [], Differences([], [])
    return [one for one, _ in chosen], chosen[-1][1]


def _differences(
    before: BaselineSession, now: BaselineSession, measurement: str, policy: Policy, metric: str
) -> Differences:
    """How two sessions differ, as far as it matters to a metric of a measurement."""
    baseline, candidate = (one.fingerprint.narrowed(measurement) for one in (before, now))
    if _is_read(baseline, metric) and _is_read(candidate, metric):
        baseline, candidate = baseline.read_as(metric), candidate.read_as(metric)
    of_energy = not metric.startswith(QUALITY)
    return compare_fingerprints(baseline, candidate, policy, of_energy=of_energy)


def _is_read(of: Fingerprint, metric: str) -> bool:
    """Whether it is known how the meter of *metric* read."""
    return not metric.startswith(BESIDE) or of.read_as(metric) is not of


def _cancelling(
    before: Sequence[BaselineSession],
    now: BaselineSession,
    measurement: str,
    metric: str,
    no_anchors: str,
) -> Cancelling:
    """What the anchors say, of the sessions that know the metric."""
    if metric.startswith((BESIDE, QUALITY)):  # of other devices, or of none
        return Cancelling()
    known = [session.anchors for session in before if session.samples(measurement, metric)]
    return cancelling(known, now.anchors, metric, no_anchors)


def _sides(
    before: Sequence[BaselineSession],
    now: BaselineSession,
    measurement: str,
    metric: str,
    cancels: Cancelling,
) -> tuple[Side, Side]:
    """Both sides, with the anchors of each session."""
    baseline, candidate = (side_of(some, measurement, metric) for some in (before, [now]))
    if not (cancels.anchors and candidate.sessions):
        return baseline, candidate
    *those, this = cancels.anchors
    return replace(baseline, anchors=tuple(those)), replace(candidate, anchors=(this,))


def _other_total(
    before: Sequence[BaselineSession], now: BaselineSession, measurement: str, metric: str
) -> Iterator[str]:
    """Why sums over scopes are not of the same scopes, where a rule is about them."""
    if not metric.startswith("total."):
        return
    (this, *others) = (one.fingerprint.totals.get(measurement) for one in (now, *before))
    for other in dict.fromkeys(others):
        if this is not None and other is not None and this != other:
            yield f"total of {other} → {this}"


def _unknown(metric: str, *sides: Side) -> Iterator[str]:
    """Why a metric cannot be compared; the candidate's side is the last."""
    if not sides[-1].values:
        yield f"{metric} is unknown in this run"
    elif not sides[0].values:
        yield f"{metric} is unknown in the baseline"
