"""Energy of several scopes and meters in the same windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import completed, figures_of
from pytest_llem.energy.measured import ScopeFigures, TotalFigures
from pytest_llem.energy.samples import window_sample
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.devices.meter import Capability, Method, Scope
    from pytest_llem.energy.marks import WindowMark
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
    whole: Sequence[WindowMark], groups: Sequence[Sequence[Trace]], first: dict[str, Any]
) -> tuple[ScopeFigures, ...]:
    """Figures of the groups behind the first.

    Args:
        whole: windows over the whole.
        groups: as :func:`groups_of` has them.
        first: figures of the first group.
    """
    known = [(groups[0], first["energy_j"], first["energy_uncertainty_j"])]
    found = []
    for group in groups[1:]:
        samples = [window_sample(mark, group) for mark in whole]
        figures = figures_of(samples)
        energy_j, uncertainty_j = figures["energy_j"], figures["energy_uncertainty_j"]
        said = [text for sample in samples for text in sample.warnings]
        for other, other_j, other_u_j in known:
            if _devices(other) == _devices(group):
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
    first: tuple[str, Scope, Method], figures: dict[str, Any], beside: Sequence[ScopeFigures]
) -> TotalFigures | None:
    """The sum over scopes that have nothing in common, the headline's first.

    Args:
        first: meter, scope and method of the headline.
        figures: of the headline.
        beside: what was read besides.
    """
    parts = [(*first, figures["energy_j"], figures["energy_uncertainty_j"])]
    parts += [
        (one.meter, one.scope, one.method, one.energy_j, one.energy_uncertainty_j) for one in beside
    ]
    taken, held = [], frozenset[str]()
    for part in parts:
        if part[2] != "estimated" and not held & HOLDS[part[1]]:
            held |= HOLDS[part[1]]
            taken.append(part)
    if len(taken) < 2:  # noqa: PLR2004 - a sum has two terms
        return None
    meters, scopes, _, energies, uncertainties = zip(*taken, strict=True)
    known = {"energy_j": _sum(energies), "energy_uncertainty_j": _hypot(uncertainties)}
    return TotalFigures(**completed({**figures, **known}), scopes=scopes, meters=meters)


def _devices(group: Sequence[Trace]) -> tuple[str, ...]:
    return tuple(trace.device.uuid for trace in group)


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


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else math.fsum(value for value in known if value is not None)


def _hypot(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else math.hypot(*(value for value in known if value is not None))
