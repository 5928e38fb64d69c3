"""The plan as JSON: ``--llem-plan-json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pytest_llem._version import __version__
from pytest_llem.config.identity import identity_of
from pytest_llem.config.model import Model
from pytest_llem.plan.duplicates import duplicates
from pytest_llem.plan.outlook import Origin, Outlook
from pytest_llem.plan.summary import look
from pytest_llem.plan.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.plan.columns import Looked
    from pytest_llem.plan.memory.fit import Fit
    from pytest_llem.plan.outlook import Forecast
    from pytest_llem.plan.point import Point

PLAN_VERSION: Literal[1] = 1
State = Literal["valid", "invalid", "duplicate"]
FitVerdict = Literal["fits", "tight", "does not fit", "unknown"]
BaselineWord = Literal["have", "missing", "incomparable", "unreadable"]


class PlannedMemory(Model):
    """Memory on each of a point's devices; ``None`` is unknown."""

    verdict: FitVerdict
    reason: str | None
    """Why it does not fit, is tight, or is unknown."""
    device: str | None
    device_bytes: int | None
    """Memory of one device."""
    devices: int | None
    parameters: int | None
    stored_as: str | None
    """Data type or quantization of the weights."""
    approximate: str | None
    """Why the weights may be off; ``None`` if they are not, or unknown."""
    weights_bytes: int | None
    cache_bytes: int | None
    """Keys and values of all requests that are served at once, over prompt and output."""
    cache_bytes_per_token: float | None
    """Of one token of one request, below any sliding window."""
    activation_bytes: int | None
    """An assumption."""
    overhead_bytes: int | None
    """Of the engine: an assumption."""
    total_bytes: int | None
    max_tokens: int | None
    """Tokens that the engine's pool has room for; ``None`` if it has none."""


class PlannedCost(Model):
    """What one process of a point is expected to take; ``None`` is unknown."""

    origin: Origin
    how: str
    """What it was told from, or why nothing can be told."""
    wall_s: float | None
    energy_j: float | None
    gpu_hours: float | None


class PlanPoint(Model):
    """One point of the grid."""

    node_id: str
    group: str
    label: str
    identity: str
    """Hash of what is measured; empty if the point is invalid."""
    processes: int
    """Fresh processes that it is to have; 0 if it is invalid."""
    config: dict[str, Any] | None
    """The fields that make its identity; ``None`` if the point is invalid."""
    axes: dict[str, Any]
    """Values of the fields that the grid varies."""
    own_arguments: dict[str, str]
    state: State
    reason: str | None
    """Why it is invalid, or which point it repeats; ``None`` if it is valid."""
    baseline: BaselineWord | None
    """``None`` if the point is invalid."""
    memory: PlannedMemory | None
    """``None`` if the point is invalid."""
    cost: PlannedCost | None
    """``None`` if the point is invalid."""


class PlanTotals(Model):
    """Sums over all valid points and their repeats, each over those of which it is known."""

    points: int
    valid: int
    invalid: int
    duplicate: int
    processes: int
    wall_s: float | None
    wall_known_of: int
    """Points of which the time is known."""
    energy_j: float | None
    energy_known_of: int
    gpu_hours: float | None
    gpu_hours_known_of: int


class Plan(Model):
    """What a session would run."""

    schema_version: Literal[1] = PLAN_VERSION
    tool_version: str
    points: tuple[PlanPoint, ...]
    totals: PlanTotals


def plan_document(
    groups: Mapping[str, Sequence[Point]], outlook: Outlook, repeats: int | None = None
) -> Plan:
    """The plan of *groups* of points, with what *outlook* expects of them.

    Each has *repeats* processes, or as many as it asks for where that is ``None``.
    """
    points: list[PlanPoint] = []
    totals = Totals()
    for members in groups.values():
        points += _planned(members, outlook, totals, repeats)
    return Plan(
        tool_version=__version__,
        points=tuple(points),
        totals=_summed(points, totals),
    )


def _planned(
    points: Sequence[Point], outlook: Outlook, totals: Totals, repeats: int | None
) -> Iterator[PlanPoint]:
    valid = [point for point in points if point.invalid is None]
    states = outlook.baselines(valid) if outlook.baselines else None
    repeated = {id(point): original for point, original in duplicates(points)}
    for point in points:
        if point.config is None:
            yield _point(point, None, repeated.get(id(point)), 0)
            continue
        looked, processes = look(point, states, outlook), point.processes(repeats)
        if looked.forecast is not None:
            totals.add(looked.forecast, processes)
        yield _point(point, looked, repeated.get(id(point)), processes)


def _point(
    point: Point, looked: Looked | None, original: Point | None, processes: int
) -> PlanPoint:
    state: State = "valid"
    reason = None
    if point.config is None:
        state, reason = "invalid", point.invalid
    elif original is not None:
        state, reason = "duplicate", f"repeats {original.node_id}"
    return PlanPoint.model_validate(
        {
            "node_id": point.node_id,
            "group": point.group,
            "label": point.label,
            "identity": point.identity,
            "processes": processes,
            "config": None if point.config is None else identity_of(point.config),
            "axes": dict(point.axes),
            "own_arguments": dict(point.own_arguments),
            "state": state,
            "reason": reason,
            "baseline": looked and looked.baseline,
            "memory": looked and looked.fit and _memory(looked.fit),
            "cost": looked and looked.forecast and _cost(looked.forecast),
        }
    )


def _memory(fit: Fit) -> PlannedMemory:
    need, room, footprint = fit.need, fit.room, fit.footprint
    return PlannedMemory(
        verdict=fit.verdict,
        reason=fit.reason,
        device=room and room.name,
        device_bytes=room and room.total_bytes,
        devices=room and room.devices,
        parameters=footprint and footprint.parameters,
        stored_as=footprint and footprint.stored_as,
        approximate=footprint and footprint.approximate,
        weights_bytes=need and need.weights_bytes,
        cache_bytes=need and need.cache_bytes,
        cache_bytes_per_token=footprint and footprint.cache.token_bytes(footprint.ranks),
        activation_bytes=need and need.activation_bytes,
        overhead_bytes=need and need.overhead_bytes,
        total_bytes=need and need.total_bytes,
        max_tokens=fit.max_tokens,
    )


def _cost(forecast: Forecast) -> PlannedCost:
    return PlannedCost(
        origin=forecast.origin,
        how=forecast.how,
        wall_s=forecast.wall_s,
        energy_j=forecast.energy_j,
        gpu_hours=forecast.gpu_hours,
    )


def _summed(points: Sequence[PlanPoint], totals: Totals) -> PlanTotals:
    states = [point.state for point in points]
    return PlanTotals(
        points=len(points),
        valid=states.count("valid"),
        invalid=states.count("invalid"),
        duplicate=states.count("duplicate"),
        processes=sum(point.processes for point in points),
        wall_s=totals.wall_s if totals.with_time else None,
        wall_known_of=totals.with_time,
        energy_j=totals.energy_j if totals.with_energy else None,
        energy_known_of=totals.with_energy,
        gpu_hours=totals.gpu_hours if totals.with_gpus else None,
        gpu_hours_known_of=totals.with_gpus,
    )
