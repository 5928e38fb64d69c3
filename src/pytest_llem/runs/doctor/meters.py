"""Which meters could be read here, in the order in which ``auto`` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.devices import METERS
from pytest_llem.devices.estimate import cpu_estimate
from pytest_llem.devices.selection import BEST_FIRST, ESTIMATE
from pytest_llem.errors import LlemError
from pytest_llem.results.diagnosis import MeterState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.devices.meter import Device
    from pytest_llem.runs.doctor.seen import Nvidia

NVML = "nvml"
ON_REQUEST = "only when it is asked for (--llem-meter)"


def meter_states(nvidia: Nvidia) -> tuple[MeterState, ...]:
    """Every meter; libraries of other makers are loaded only where they would be worth it."""
    states: list[MeterState] = []
    for name in (*BEST_FIRST, ESTIMATE):
        state = _of_nvidia(nvidia) if name == NVML else _asked(name)
        taken = state.state == "reads" and not any(one.taken for one in states)
        states.append(state.model_copy(update={"taken": taken}))
    others = [name for name in METERS.names() if name not in {*BEST_FIRST, ESTIMATE}]
    states += [MeterState(meter=name, state="not asked", reason=ON_REQUEST) for name in others]
    return tuple(states)


def _of_nvidia(nvidia: Nvidia) -> MeterState:
    return _state(NVML, nvidia.devices, nvidia.problem or nvidia.absence)


def _asked(name: str) -> MeterState:
    if name == ESTIMATE:
        return _state(name, [cpu_estimate()], None)
    meter: Any = None
    try:
        of_class: Any = METERS.load(name)
        hopeless = getattr(of_class, "hopeless", None)
        if hopeless is not None and (reason := hopeless()) is not None:
            absent = reason or "nothing here that only it could read"
            return MeterState(meter=name, state="nothing to read", reason=absent)
        meter = of_class()
        return _state(name, meter.discover(), meter.absence)
    except LlemError as error:
        return MeterState(meter=name, state="nothing to read", reason=str(error))
    finally:
        if meter is not None:
            meter.close()


def _state(name: str, devices: Sequence[Device], absence: str | None) -> MeterState:
    usable = [device for device in devices if device.refusal is None]
    if not usable:
        refusals = [device.refusal for device in devices if device.refusal]
        reason = refusals[0] if refusals else absence
        return MeterState(meter=name, state="nothing to read", reason=reason)
    return MeterState(
        meter=name,
        state="reads",
        scopes=tuple(dict.fromkeys(device.capability.scope for device in usable)),
        methods=tuple(dict.fromkeys(device.capability.method for device in usable)),
        devices=tuple(device.name for device in usable),
    )
