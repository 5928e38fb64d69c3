"""Which meter reads the energy of a run, and why."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.devices import METERS
from pytest_llem.devices.estimate import DEFAULT_WATTS_PER_CORE, EstimateMeter, cpu_estimate
from pytest_llem.errors import ConfigError, MeterError
from pytest_llem.registry import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.devices.meter import CpuClock, Device, Meter

AUTO = "auto"
ESTIMATE = "estimate"
REPLAY = "replay"
BEST_FIRST = ("nvml", "zeus", "rapl")
"""Measuring meters that ``auto`` tries, in this order, before it estimates."""
CPU_FIRST = ("rapl",)
"""The same for an experiment that runs on the CPU alone; the others are for accelerators."""
ELSEWHERE = (
    "Run where its devices are (in a container, pass them in), or take the meter 'auto', which "
    "estimates from CPU time where nothing can be measured."
)


@dataclass(frozen=True, slots=True)
class MeterRequest:
    """What was asked of the run's meter."""

    name: str = AUTO
    """A meter, with ``:`` and its argument where it takes one, or ``auto`` for the best one."""
    require_measured: bool = False
    """Whether an estimate will not do."""
    cpu_watts: float | None = None
    """Declared watts per busy core, for the estimate; ``None`` takes the default."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class MeterChoice:
    """The meter of a run.

    While the choice lives, the vendor's library stays started, so that opening the
    meter is cheap and a GPU without persistence mode is not shut down in between.
    """

    name: str
    why: str
    """One line for the head of the report: what is read, or why it is an estimate."""
    measured: bool
    """Whether energy is measured rather than estimated."""
    devices: tuple[Device, ...]
    """All devices the meter sees; an experiment uses some of them."""
    open: Callable[[CpuClock], Meter]
    """A meter for one experiment, given its CPU time; the caller closes it."""
    watts_per_core: float | None = None
    """Watts per busy core that an estimate assumes; ``None`` for measurements."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why a meter has nothing to read."""

    why: str
    """Without a full stop."""
    advised: bool = False
    """Whether that says what to do."""


def choose_meter(request: MeterRequest) -> MeterChoice:
    """The meter that answers *request*; nothing is read yet, and no model is loaded.

    Raises:
        ConfigError: there is no such meter, or the declared watts are impossible.
        MeterError: the meter has nothing to read here, or an estimate will not do.
    """
    argument = _check(request)
    if request.name == ESTIMATE:
        return _estimate(request, "asked for")
    if request.name != AUTO:
        return _asked_for(request, argument)
    return _best(request, BEST_FIRST)


def choose_cpu_meter(request: MeterRequest) -> MeterChoice:
    """The best meter for an experiment that uses no GPU, whatever meter the run has.

    Raises:
        MeterError: an estimate will not do, and nothing else can be had.
    """
    return _best(request, CPU_FIRST)


def _best(request: MeterRequest, order: Sequence[str]) -> MeterChoice:
    reasons = []
    for name in order:
        found = _unasked(name)
        if isinstance(found, MeterChoice):
            return found
        reasons.append(found.why)
    because = "; ".join(filter(None, reasons))
    return _estimate(request, because or "no device that can be measured")


def _unasked(name: str) -> MeterChoice | Nothing:
    """The meter called *name* if it is worth taking unasked, or why not.

    A meter may say by ``hopeless``, without loading any library, that it has nothing to add.
    """
    hopeless = getattr(METERS.load(name), "hopeless", None)
    reason: str | None = hopeless() if hopeless is not None else None
    if reason is not None:
        return Nothing(reason)
    found = _measuring(name)
    if isinstance(found, MeterChoice) and name not in CPU_FIRST and _packages_only(found):
        return Nothing(f"{name} finds CPU packages only")
    return found


def _packages_only(choice: MeterChoice) -> bool:
    usable = [device for device in choice.devices if not device.refusal]
    return all(device.capability.scope in {"package", "dram"} for device in usable)


def _check(request: MeterRequest) -> str | None:
    """The meter's argument, if one was given and it takes one."""
    name, colon, argument = request.name.partition(":")
    known = [AUTO, *METERS.names()]
    if name not in known:
        raise ConfigError(f"no meter is called {name!r}. {suggest(name, known)}")
    wanted: str | None = None if name == AUTO else getattr(METERS.load(name), "argument", None)
    if wanted is None and colon:
        raise ConfigError(f"the meter {name!r} takes no argument. Write {name!r} alone.")
    if wanted is not None and not argument:
        raise ConfigError(f"the meter {name!r} needs an argument. Write {name}:{wanted}.")
    watts = request.cpu_watts
    if watts is not None and not (math.isfinite(watts) and watts > 0):
        raise ConfigError(f"watts per busy core must be above 0, not {watts:g}.")
    return argument or None


def _asked_for(request: MeterRequest, argument: str | None) -> MeterChoice:
    name = request.name.partition(":")[0]
    found = _measuring(name, *([argument] if argument else []))
    if isinstance(found, Nothing):
        advice = "" if found.advised else " " + ELSEWHERE
        raise MeterError(f"the meter {name!r} has nothing to read: {found.why}.{advice}")
    if request.require_measured and name == REPLAY:
        raise MeterError(
            "energy has to be measured, but a replay only repeats what was measured before. "
            "Take the meter 'auto', or leave the requirement out."
        )
    if request.require_measured and not found.measured:
        raise MeterError(
            f"energy has to be measured, but the meter {name!r} estimates it. "
            "Take the meter 'auto', or accept estimates."
        )
    return found


def _measuring(name: str, *argument: str) -> MeterChoice | Nothing:
    """A choice of the meter called *name*, or why it has nothing to read."""
    open_meter: Callable[..., Meter] = METERS.load(name)
    meter = open_meter(*argument)
    try:
        devices = tuple(meter.discover())
    except MeterError as error:
        meter.close()
        return Nothing(str(error).rstrip("."), advised=True)
    if all(device.refusal for device in devices):
        nothing = _why_not(meter, devices)
        meter.close()
        return nothing
    choice = MeterChoice(
        name=name,
        why=getattr(meter, "account", None) or f"{name} reads {_counted(devices)}",
        measured=all(device.capability.method != "estimated" for device in devices),
        devices=devices,
        open=lambda _clock: open_meter(*argument),
    )
    weakref.finalize(choice, meter.close)
    return choice


def _why_not(meter: Any, devices: Sequence[Device]) -> Nothing:
    refusals = [device.refusal for device in devices if device.refusal]
    absence: str | None = getattr(meter, "absence", None)
    reason = refusals[0] if refusals else absence or "it finds no device"
    return Nothing(reason.rstrip("."), advised=bool(refusals))


def _counted(devices: Sequence[Device]) -> str:
    """Usable devices by name, such as ``2 × NVIDIA L4, 1 × NVIDIA T4``."""
    names = [device.name for device in devices if not device.refusal]
    return ", ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))


def _estimate(request: MeterRequest, because: str) -> MeterChoice:
    if request.require_measured:
        raise MeterError(
            "energy has to be measured, but only an estimate from CPU time can be had: "
            f"{because}. Run on a machine with a device that can be measured, or accept estimates."
        )
    watts = DEFAULT_WATTS_PER_CORE if request.cpu_watts is None else request.cpu_watts
    source = "assumed" if request.cpu_watts is None else "declared"
    return MeterChoice(
        name=ESTIMATE,
        why=f"{because}; CPU time × {watts:g} W per core, {source}",
        measured=False,
        devices=(cpu_estimate(),),
        open=lambda clock: EstimateMeter(clock, watts),
        watts_per_core=watts,
    )
