"""Energy of several scopes and meters in the same windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import counted, figures_of
from pytest_llem.energy.known import known_hypot, known_sum
from pytest_llem.energy.measured import ScopeFigures, TotalFigures
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.devices.meter import Capability, Scope
    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.sampling.trace import Trace

HOLDS: dict[Scope, frozenset[Scope]] = {
    "gpu": frozenset({"gpu"}),
    "module": frozenset({"gpu", "package", "dram"}),
    "package": frozenset({"package"}),
    "dram": frozenset({"dram"}),
    "node": frozenset({"gpu", "package", "dram"}),
    "process": frozenset({"package"}),
}
"""What a scope's energy has in it: scopes with something in common are never added."""
AGREEMENT = 0.02
"""Two meters may say so much else of one device, whatever their uncertainties say."""


def groups_of(traces: Iterable[Trace]) -> tuple[tuple[Trace, ...], ...]:
    """Traces that are summed, one group for each scope of each meter; the first is the headline.

    Raises:
        MeterError: there is no trace, or a group was not read alike.
    """
    found: dict[tuple[str, Scope], list[Trace]] = {}
    for trace in traces:
        found.setdefault((trace.meter, trace.device.capability.scope), []).append(trace)
    if not found:
        raise MeterError("nothing was read, so that there is no energy to tell.")
    for (meter, scope), group in found.items():
        methods = sorted({trace.device.capability.method for trace in group})
        if len(methods) > 1:
            raise MeterError(
                "energy can only be summed over devices that were read alike, not over: "
                f"{', '.join(f'{meter} {scope} {method}' for method in methods)}. "
                "Measure them apart."
            )
    return tuple(tuple(group) for group in found.values())


def headline(traces: Iterable[Trace]) -> tuple[Trace, ...]:
    """The traces whose sum tables and gates show."""
    return groups_of(traces)[0]


def capability_of(group: Sequence[Trace]) -> Capability:
    """What a group's devices have in common."""
    return group[0].device.capability


def beside_of(
    groups: Sequence[Sequence[Trace]],
    sampled: Sequence[Sequence[WindowSample]],
    first: dict[str, Any],
) -> tuple[ScopeFigures, ...]:
    """Figures of the groups behind the first.

    Args:
        groups: as :func:`groups_of` has them.
        sampled: windows over the whole, as each of the groups has them.
        first: figures of the first group.
    """
    known = [(groups[0], first["energy_j"], first["energy_uncertainty_j"])]
    found = []
    for group, samples in zip(groups[1:], sampled[1:], strict=True):
        figures = figures_of(samples, [group])
        energy_j, uncertainty_j = figures["energy_j"], figures["energy_uncertainty_j"]
        said = [text for sample in samples for text in sample.warnings]
        for other, other_j, other_u_j in known:
            if _parts(other) == _parts(group):
                said += _contradiction(
                    (other[0].meter, other_j, other_u_j), (group[0].meter, energy_j, uncertainty_j)
                )
        found.append(
            ScopeFigures(
                **figures,
                meter=group[0].meter,
                scope=capability_of(group).scope,
                method=capability_of(group).method,
                devices=_devices(group),
                warnings=tuple(dict.fromkeys(said)),
            )
        )
        known.append((group, energy_j, uncertainty_j))
    return tuple(found)


def total_of(
    groups: Sequence[Sequence[Trace]], sampled: Sequence[Sequence[WindowSample]]
) -> TotalFigures | None:
    """The sum over scopes that have nothing in common, the headline's first.

    Windows are added before their mean is taken, those that count in every scope: what one load
    draws in several scopes varies alike, so that intervals of their means tell nothing of the sum's.

    Args:
        groups: as :func:`groups_of` has them.
        sampled: windows over the whole, as each of the groups has them.
    """
    taken, held = [], frozenset[str]()
    for group, samples in zip(groups, sampled, strict=True):
        capability = capability_of(group)
        if capability.method != "estimated" and not held & HOLDS[capability.scope]:
            held |= HOLDS[capability.scope]
            taken.append((group, capability.scope, samples))
    if len(taken) < 2:  # noqa: PLR2004 - a sum has two terms
        return None
    added, scopes, parts = zip(*taken, strict=True)
    meters = tuple(group[0].meter for group in added)
    windows = [_added(window) for window in zip(*parts, strict=True) if _counts(window)]
    return TotalFigures(**figures_of(windows, added), scopes=scopes, meters=meters)


def _counts(window: Sequence[WindowSample]) -> bool:
    """Whether a window counts in every scope."""
    return len(counted(window)) == len(window)


def _added(window: Sequence[WindowSample]) -> WindowSample:
    """One window of several scopes, which err independently."""
    energy_j = known_sum(sample.energy_j for sample in window)
    uncertainty_j = known_hypot(sample.energy_uncertainty_j for sample in window)
    return window[0].model_copy(
        update={"energy_j": energy_j, "energy_uncertainty_j": uncertainty_j}
    )


def _devices(group: Sequence[Trace]) -> tuple[str, ...]:
    return tuple(trace.device.uuid for trace in group)


def _parts(group: Sequence[Trace]) -> set[str]:
    """What was read, whoever did: CPU packages and memories have the meter's name before the kernel's."""
    on_cpu = capability_of(group).scope in {"package", "dram"}
    return {
        trace.device.uuid.removeprefix(f"{trace.meter}:") if on_cpu else trace.device.uuid
        for trace in group
    }


def _contradiction(
    one: tuple[str, float | None, float | None], other: tuple[str, float | None, float | None]
) -> list[str]:
    """What to say where two meters contradict each other about the same devices."""
    (first, first_j, first_u_j), (second, second_j, second_u_j) = one, other
    if first_j is None or second_j is None:
        return []
    allowed_j = math.hypot(first_u_j or 0.0, second_u_j or 0.0) + AGREEMENT * abs(first_j)
    if abs(first_j - second_j) <= allowed_j:
        return []
    said = (
        f"{first} says {first_j:.4g} J a pass and {second} {second_j:.4g} J of the same devices, "
        f"which differ by more than the {allowed_j:.3g} J that both allow"
    )
    return [said]
