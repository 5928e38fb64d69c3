"""What has to be equal, and what may differ, for two results to be compared."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.fingerprint import Fingerprint, Work

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


def compare_fingerprints(baseline: Fingerprint, candidate: Fingerprint) -> Differences:
    """What differs, and whether that forbids a comparison.

    The work is compared for measurements that both sides have.
    """
    refuse = [*_how(baseline, candidate), *_machine(baseline, candidate)]
    hashes = (baseline.workload, candidate.workload)
    if None not in hashes:
        refuse += _changed("prompts and output lengths, by their hash,", *hashes)
    for name in baseline.work.keys() & candidate.work.keys():
        refuse += _work_differs(name, baseline.work[name], candidate.work[name])
    return Differences(refuse, list(_may_differ(baseline, candidate)))


def _how(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[str]:
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
        yield from _changed(called, getattr(baseline, field), getattr(candidate, field))
    if not _same_numbers(baseline.power_limits_w, candidate.power_limits_w):
        yield from _changed(
            "power limit", _watts(baseline.power_limits_w), _watts(candidate.power_limits_w)
        )
    if baseline.shared != candidate.shared:
        had = [_had(side) for side in (baseline, candidate)]
        yield f"devices {' → '.join(had)}, so that one side may hold a neighbour's energy"
    declared = (baseline.declared_w_per_core, candidate.declared_w_per_core)
    if not _same_numbers(declared[:1], declared[1:]):
        yield from _changed("declared watts per core", *declared)


def _had(of: Fingerprint) -> str:
    return "shared with others (--llem-allow-shared)" if of.shared else "used alone"


def _machine(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[str]:
    if baseline.estimated and candidate.estimated:
        yield from _changed("CPU", baseline.cpu_model, candidate.cpu_model)
        yield from _changed("threads", baseline.threads, candidate.threads)
    elif _branch(baseline) != _branch(candidate):
        versions = (baseline.driver_version, candidate.driver_version)
        yield (
            f"{next(_changed('driver', *versions))}, "
            f"across {SEMANTICS_CHANGED}, where the meaning of power readings changed"
        )


def _branch(of: Fingerprint) -> bool | None:
    """Whether the driver is from the change of semantics on; ``None`` if it is unknown."""
    major = re.match(r"\d+", of.driver_version or "")
    return int(major[0]) >= SEMANTICS_CHANGED if major else None


def _work_differs(name: str, baseline: Work, candidate: Work) -> Iterator[str]:
    for field in ("requests", "input_tokens", "output_tokens"):
        called = f"{field.replace('_', ' ')} per pass of {name!r}"
        yield from _changed(called, getattr(baseline, field), getattr(candidate, field))
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


def _may_differ(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[str]:
    for name in sorted(baseline.engine.keys() | candidate.engine.keys()):
        yield from _changed(name, baseline.engine.get(name), candidate.engine.get(name))
    yield from _packages(baseline, candidate)
    yield from _changed("commit", _short(baseline.commit), _short(candidate.commit))
    if not baseline.same_cards(candidate):
        yield "another card of the same model"
    for field in ("driver_version", "python", "os", "kernel", "container"):
        called = field.removesuffix("_version")
        yield from _changed(called, getattr(baseline, field), getattr(candidate, field))
    if not (baseline.estimated and candidate.estimated):
        yield from _changed("CPU", baseline.cpu_model, candidate.cpu_model)
        yield from _changed("threads", baseline.threads, candidate.threads)


def _packages(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[str]:
    names = baseline.packages.keys() | candidate.packages.keys()
    own = {candidate.backend, candidate.backend.replace("_", "-"), "torch"}
    for name in sorted(names, key=lambda name: (name not in own, name)):
        before, now = (of.packages.get(name, "absent") for of in (baseline, candidate))
        yield from _changed(name, before, now)


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
