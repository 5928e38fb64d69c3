"""What has to be equal, and what may differ, for two results to be compared."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.baselines.matching import CARDS, DEFAULT, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.fingerprint import Fingerprint, Work
    from pytest_llem.baselines.matching import Choice

SEMANTICS_CHANGED = 530
"""NVIDIA's driver branch from which power readings mean something else (arXiv 2312.02741)."""
_SAME_WATTS = 1e-3
"""Relative; stored numbers are rounded."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs between two fingerprints, in words, the baseline's value first."""

    refuse: list[str]
    """Makes a comparison meaningless."""
    differ: list[str]
    """May be just what is under test; named in the verdict."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same on both sides."""

    field: str
    said: str
    """In words, the baseline's value first."""
    default: Choice
    """What becomes of it unless a policy says otherwise."""


OF_ENERGY: dict[str, Choice] = {
    **dict.fromkeys(("meter", "scope", "method", "estimator", "declared_w_per_core"), "ignore"),
    **dict.fromkeys(("power_limits_w", "shared"), "ignore"),
    **dict.fromkeys(("devices", "device_type", "driver_version", "cpu_model", "threads"), "warn"),
}
"""What forbids no comparison of figures that no meter read; a policy has no say in how it was read."""


def compare_fingerprints(
    baseline: Fingerprint,
    candidate: Fingerprint,
    policy: Policy = DEFAULT,
    *,
    of_energy: bool = True,
) -> Differences:
    """What differs, and whether that forbids a comparison.

    The work is compared for measurements that both sides have. What says how energy was read
    matters unless the comparison is not *of_energy*.
    """
    found: dict[Choice, list[str]] = {"must-match": [], "warn": [], "ignore": []}
    for one in differences_of(baseline, candidate):
        default = one.default if of_energy else OF_ENERGY.get(one.field, one.default)
        skipped = not of_energy and default == "ignore"
        choice = default if skipped else policy.choice(one.field, default)
        found[choice].append(one.said)
    return Differences(found["must-match"], found["warn"])


def differences_of(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[Difference]:
    """Every difference, those that forbid a comparison by default first."""
    yield from _how(baseline, candidate)
    yield from _machine(baseline, candidate)
    hashes = (baseline.workload, candidate.workload)
    if None not in hashes:
        for said in _changed("prompts and output lengths, by their hash,", *hashes):
            yield Difference("workload", said, "must-match")
    for name in baseline.work.keys() & candidate.work.keys():
        for said in _work_differs(name, baseline.work[name], candidate.work[name]):
            yield Difference("work", said, "must-match")
    yield from _may_differ(baseline, candidate)


def _how(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[Difference]:
    fields = {
        "backend": "engine",
        "meter": "meter",
        "scope": "scope",
        "method": "method",
        "estimator": "window estimator",
        "devices": "device",
        "device_type": "kind of device",
    }
    for field, called in fields.items():
        for said in _changed(called, getattr(baseline, field), getattr(candidate, field)):
            yield Difference(field, said, "must-match")
    if not _same_numbers(baseline.power_limits_w, candidate.power_limits_w):
        limits = (_watts(baseline.power_limits_w), _watts(candidate.power_limits_w))
        for said in _changed("power limit", *limits):
            yield Difference("power_limits_w", said, "must-match")
    if baseline.shared != candidate.shared:
        had = [_had(side) for side in (baseline, candidate)]
        said = f"devices {' → '.join(had)}, so that one side may hold a neighbour's energy"
        yield Difference("shared", said, "must-match")
    declared = (baseline.declared_w_per_core, candidate.declared_w_per_core)
    if not _same_numbers(declared[:1], declared[1:]):
        for said in _changed("declared watts per core", *declared):
            yield Difference("declared_w_per_core", said, "must-match")


def _had(of: Fingerprint) -> str:
    return "shared with others (--llem-allow-shared)" if of.shared else "used alone"


def _machine(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[Difference]:
    """The CPU, which an estimate assumes, and the driver, which readings depend on."""
    both = baseline.estimated and candidate.estimated
    choice: Choice = "must-match" if both else "warn"
    for field, called in (("cpu_model", "CPU"), ("threads", "threads")):
        for said in _changed(called, getattr(baseline, field), getattr(candidate, field)):
            yield Difference(field, said, choice)
    across = not both and _branch(baseline) != _branch(candidate)
    for said in _changed("driver", baseline.driver_version, candidate.driver_version):
        if across:
            why = f", across {SEMANTICS_CHANGED}, where the meaning of power readings changed"
            yield Difference("driver_version", said + why, "must-match")
        else:
            yield Difference("driver_version", said, "warn")


def _branch(of: Fingerprint) -> bool | None:
    """Whether the driver is from the change of semantics on; ``None`` if it is unknown."""
    major = re.match(r"\d+", of.driver_version or "")
    return int(major[0]) >= SEMANTICS_CHANGED if major else None


def _work_differs(name: str, baseline: Work, candidate: Work) -> Iterator[str]:
    for field in ("requests", "input_tokens", "output_tokens"):
        called = f"{field.replace('_', ' ')} per pass of {name!r}"
        before, now = getattr(baseline, field), getattr(candidate, field)
        if not _may_be_same(
            before, now, [of.half_widths.get(field) for of in (baseline, candidate)]
        ):
            yield from _changed(called, before, now)
    ends = (baseline.finish_reasons, candidate.finish_reasons)
    if ends[0] is None or ends[1] is None:
        return
    reasons = sorted(ends[0].keys() | ends[1].keys())
    counts = [tuple(end.get(reason, 0.0) for reason in reasons) for end in ends if end is not None]
    if not _same_numbers(*counts):
        said = [
            ", ".join(f"{count:g} {of}" for of, count in sorted(end.items())) for end in ends if end
        ]
        yield f"finish reasons per pass of {name!r} {' → '.join(said)}"


def _may_be_same(before: int | None, now: int | None, half_widths: Sequence[float | None]) -> bool:
    """Whether numbers that differ from pass to pass are the same on average, but for rounding."""
    known = [half_width for half_width in half_widths if half_width is not None]
    if before is None or now is None or not known:
        return before == now
    return abs(now - before) <= math.fsum(known) + 1


def _may_differ(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[Difference]:
    for name in sorted(baseline.engine.keys() | candidate.engine.keys()):
        for said in _changed(name, baseline.engine.get(name), candidate.engine.get(name)):
            yield Difference(f"engine.{name}", said, "warn")
    yield from _packages(baseline, candidate)
    for said in _changed("commit", _short(baseline.commit), _short(candidate.commit)):
        yield Difference("commit", said, "warn")
    if not baseline.same_cards(candidate):
        yield Difference(CARDS, "another card of the same model", "warn")
    for field in ("python", "os", "kernel", "container"):
        for said in _changed(field, getattr(baseline, field), getattr(candidate, field)):
            yield Difference(field, said, "warn")


def _packages(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[Difference]:
    names = baseline.packages.keys() | candidate.packages.keys()
    own = {candidate.backend, candidate.backend.replace("_", "-"), "torch"}
    for name in sorted(names, key=lambda name: (name not in own, name)):
        before, now = (of.packages.get(name, "absent") for of in (baseline, candidate))
        for said in _changed(name, before, now):
            yield Difference(f"packages.{name}", said, "warn")


def _changed(called: str, before: object, now: object) -> Iterator[str]:
    if before != now:
        yield f"{called} {_said(before)} → {_said(now)}"


def _said(value: object) -> str:
    if value is None or value == ():
        return "unknown"
    if isinstance(value, tuple):
        return " + ".join(map(str, value))
    return str(value)


def _watts(limits: Sequence[float | None]) -> tuple[str, ...]:
    return tuple("unknown" if limit is None else f"{limit:g} W" for limit in limits)


def _short(commit: str | None) -> str | None:
    if commit is None:
        return None
    sha, _, dirty = commit.partition("+")
    return f"{sha[:9]}+{dirty}" if dirty else sha[:9]


def _same_numbers(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    return len(one) == len(other) and all(map(_same, one, other))


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_SAME_WATTS)
