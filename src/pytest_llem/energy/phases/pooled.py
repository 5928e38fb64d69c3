"""The phases of several processes as those of one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import completed
from pytest_llem.energy.phases.split import parts_of, unresolved_phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.measured import Phase

ADDED = ("energy_j", "duration_s")
"""In what the phases add up to the whole to the last bit."""


def pooled_phases(
    whole: Mapping[str, Any],
    means: tuple[Mapping[str, Any], Mapping[str, Any]],
    phases: Sequence[tuple[Phase, Phase]],
) -> tuple[Phase, Phase]:
    """Prefill and decode as means over processes, which add up to the mean whole.

    Means are rounded each on its own. Energy, duration and tokens of decode are therefore what
    those of prefill leave of the whole, which is their mean but for rounding. Where processes
    differ in which phases they resolved, or in how, neither is: a mean over some of them is no
    part of a whole over all.

    Args:
        whole: mean figures of the whole.
        means: mean figures of prefill and of decode.
        phases: prefill and decode of each process, at least one.
    """
    prefills, decodes = zip(*phases, strict=True)
    methods = Counter((prefill.method, decode.method) for prefill, decode in phases)
    if len(methods) > 1:
        return _unlike(prefills), _unlike(decodes)
    known = [one[name] for one in (whole, *means) for name in ADDED]
    if "unresolved" in next(iter(methods)) or None in known:
        return _alone(means[0], prefills), _alone(means[1], decodes)
    first, rest = _parted(whole, *means)
    if min(part[name] for part in (first, rest) for name in ADDED) <= 0:
        lost = unresolved_phase("Of the mean over processes one phase is lost in rounding.")
        return lost, lost
    return _alone(first, prefills), _alone(rest, decodes)


def _parted(
    whole: Mapping[str, Any], prefill: Mapping[str, Any], decode: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    first, rest = dict(prefill), dict(decode)
    for name in ADDED:
        first[name], rest[name] = parts_of(whole[name], prefill[name])
    if None not in (whole["output_tokens"], prefill["output_tokens"]):
        rest["output_tokens"] = whole["output_tokens"] - prefill["output_tokens"]
    return completed(first), completed(rest)


def _alone(mean: Mapping[str, Any], phases: Sequence[Phase]) -> Phase:
    return phases[0].model_copy(update={**mean, "reason": _reasons(phases)})


def _unlike(phases: Sequence[Phase]) -> Phase:
    methods = Counter(phase.method for phase in phases)
    if len(methods) == 1:  # its other phase is what they differ in
        told = "The processes did not tell the other phase apart alike."
    elif "unresolved" in methods:
        known = len(phases) - methods["unresolved"]
        told = f"Only {known} of {len(phases)} processes told it apart."
    else:
        told = f"The processes told it apart by different methods: {', '.join(methods)}."
    return unresolved_phase(f"{told} {_reasons(phases)}")


def _reasons(phases: Sequence[Phase]) -> str:
    """What the processes say of it, once each; by how many where they say different things."""
    told = Counter(phase.reason for phase in phases)
    if len(told) == 1:
        return phases[0].reason
    return " ".join(f"{count} of {len(phases)}: {reason}" for reason, count in told.items())
