"""What can be compared: the metrics of a measurement, with unit and direction."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pytest_llem.devices.meter import Scope
from pytest_llem.energy.naming import NAME, QUALITY
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

Unit = Literal["J", "J/token", "J/request", "W", "s", "tokens/s", "requests/s", "requests", ""]
PhaseName = Literal["whole", "prefill", "decode"]

QUANTITIES: dict[str, Unit] = {
    "energy_per_output_token_j": "J/token",
    "energy_per_request_j": "J/request",
    "energy_j": "J",
    "power_w": "W",
    "duration_s": "s",
    "output_tokens_per_s": "tokens/s",
    "ttft_s": "s",
    "itl_s": "s",
}
"""Fields of ``Figures`` that can be gated, with their units. Token and request counts
are not among them: they are the work, and work has to be equal before anything else
is compared."""
_LATENCIES = ("queue", "ttft", "itl", "tpot", "e2e", "lateness")
_PERCENTILES = ("mean_s", "p50_s", "p90_s", "p95_s", "p99_s", "max_s")
OF_THE_WHOLE: dict[str, Unit] = {
    "net_energy_j": "J",
    "idle.power_w": "W",
    **{f"total.{name}": unit for name, unit in QUANTITIES.items()},
    "traffic.offered_per_s": "requests/s",
    "traffic.served_per_s": "requests/s",
    "traffic.goodput_per_s": "requests/s",
    "traffic.goodput_share": "",
    "traffic.in_flight_mean": "requests",
    **{f"latencies.{kind}.{name}": "s" for kind in _LATENCIES for name in _PERCENTILES},
}
"""Further figures of a measurement, by where they stand in it; one value a process."""
HIGHER_IS_BETTER = frozenset(
    {
        "output_tokens_per_s",
        "total.output_tokens_per_s",
        "traffic.offered_per_s",
        "traffic.served_per_s",
        "traffic.goodput_per_s",
        "traffic.goodput_share",
    }
)
BESIDE = "beside."
"""Begins the names of figures of meters beside the first."""
BESIDE_QUANTITIES = ("energy_per_output_token_j", "energy_per_request_j", "energy_j", "power_w")
"""Those that differ from the first meter's: times and rates are the same."""
HEADLINE = "energy_per_output_token_j"
INFORMING = (HEADLINE, "energy_per_request_j", "energy_j", "duration_s")
"""What an experiment is summed up by, and compared by where no gate was declared: the first of
these that is known."""
EXPLAINING = ("sm_clock_mhz", "temperature_c")
"""Kept with the samples because they explain a change; never gated."""
_WORK = "is the work, which has to be equal on both sides before anything is compared"
NOT_GATED: dict[str, str] = {
    **dict.fromkeys(("requests", "input_tokens", "output_tokens"), _WORK),
    "count": "says how many there were, not how long they took",
    "windows": "are the samples that the other figures come from",
    "traffic.concurrency": "is what was asked for",
    "traffic.failures": "are counts: assert them in the test, or record them there",
    "traffic.counted_by": "are counts: assert them in the test, or record them there",
    "warm_up": "is what came before anything was measured",
    "floor": "is computed from the model's shape and only moves with it",
    "traffic.served": "is the work that the windows had room for; traffic.served_per_s is its rate",
    "traffic.failed": "is a count that may be zero, of which no ratio can be taken: assert it in the test, "
    "or record it there",
    "beside": "has to say what of which meter: beside.SCOPE.METER.QUANTITY, such as "
    "beside.package.rapl.energy_j",
    "wall_s": "is how long the process took, with loading and warming up; duration_s is a pass's time",
    "spent": "is what the devices used in all, loading and warming up as well; energy_j is a pass's",
    "repeat": "is the number of the process",
    "schema_version": "is that of the file",
    "steady_state_window": "is when the windows were",
    "config": "is what was asked for",
    "workload": "is what a pass asks, which has to be equal on both sides",
    "measurement_methodology": "is how the figures came about, which has to be equal on both sides",
    "engine": "is what took effect, and is named in the verdict where it differs",
    "recorded": "is called quality.NAME as a metric",
}
"""Why some names that a result has are no metrics."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of the whole workload or of a phase."""

    phase: PhaseName
    quantity: str
    """Field of ``Figures``; of the whole also a path into the measurement."""

    @property
    def name(self) -> str:
        """As it is written: ``ttft_s``, ``decode.energy_per_output_token_j``."""
        return self.quantity if self.phase == "whole" else f"{self.phase}.{self.quantity}"

    @property
    def is_recorded(self) -> bool:
        """Whether a test recorded it, so that unit and direction are only known then."""
        return self.quantity.startswith(QUALITY)

    @property
    def is_beside(self) -> bool:
        """Whether it is of a meter beside the first."""
        return self.quantity.startswith(BESIDE)

    @property
    def unit(self) -> Unit:
        """What its values are in; empty for a share, and for what a test recorded."""
        if self.is_recorded:
            return ""
        if self.is_beside:
            return QUANTITIES[self.quantity.rpartition(".")[2]]
        return QUANTITIES.get(self.quantity) or OF_THE_WHOLE[self.quantity]

    @property
    def has_prefixes(self) -> bool:
        """Whether its unit is one that goes by mJ, kW or µs too."""
        return self.unit.startswith(("J", "W", "s"))

    @property
    def higher_is_better(self) -> bool:
        return self.quantity in HIGHER_IS_BETTER


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(
            Metric(phase, quantity)
            for phase in ("whole", "prefill", "decode")
            for quantity in QUANTITIES
        ),
        *(Metric("whole", path) for path in OF_THE_WHOLE),
    )
}


def metric_named(name: str) -> Metric:
    """The metric called *name*.

    Raises:
        ConfigError: there is none; the message says why, or names the nearest one.
    """
    if name in METRICS:
        return METRICS[name]
    if name.startswith(QUALITY) and re.fullmatch(NAME, name.removeprefix(QUALITY)):
        return Metric("whole", name)
    if name.startswith(BESIDE) and _is_of_a_meter(name):
        return Metric("whole", name)
    raise ConfigError(f"{name!r} is not a metric that can be gated{_advice(name)}")


def _is_of_a_meter(name: str) -> bool:
    """Whether *name* says what of which meter: with the scope, or without where that is clear."""
    which = name.removeprefix(BESIDE).rpartition(".")[0]
    scope, dot, meter = which.partition(".")
    known = scope in get_args(Scope) and meter if dot else which
    return bool(known) and name.rpartition(".")[2] in BESIDE_QUANTITIES


def beside_name(scope: str, meter: str, quantity: str) -> str:
    """The metric of a meter beside the first."""
    return f"{BESIDE}{scope}.{meter}.{quantity}"


def beside_named(name: str, known: Iterable[str]) -> list[str]:
    """The metrics among *known* that *name* is about, which may leave the scope or the meter out."""
    which, _, quantity = name.removeprefix(BESIDE).rpartition(".")
    found = []
    for one in known:
        own, _, its = one.removeprefix(BESIDE).rpartition(".")
        scope, _, meter = own.partition(".")
        if one.startswith(BESIDE) and its == quantity and which in {own, scope, meter}:
            found.append(one)
    return found


def _advice(name: str) -> str:
    """Why *name* is none, if that is known; else the nearest one."""
    if name.startswith(QUALITY):
        return (
            ": a recorded figure has letters, digits, '_', '-' and '.' in its name, and no others."
        )
    last = name.rpartition(".")[2]
    if name.startswith(BESIDE) and last in QUANTITIES.keys() - BESIDE_QUANTITIES:
        return f": {last} is the same whichever meter reads the energy; gate {last}."
    for of, why in NOT_GATED.items():
        if of in {name, last} or name.startswith(f"{of}."):
            near = difflib.get_close_matches(name, METRICS, n=1)
            return f": {of} {why}." + (f" Did you mean {near[0]!r}?" if near else "")
    if name.endswith(("_uncertainty_j", "_uncertainty_w")):
        return ": it is the width of an interval, which every verdict takes into account."
    if re.fullmatch(NAME, name) and not difflib.get_close_matches(name, METRICS, n=1):
        return f". {_nearest(name)} What a test records begins with {QUALITY}: {QUALITY}{name}."
    return f". {_nearest(name)} A phase is written before it: decode.energy_per_output_token_j."


def _nearest(name: str) -> str:
    """The nearest name; one without dots may be the end of a longer one (``p99_s``)."""
    ends = [known for known in METRICS if known.endswith(f".{name}")]
    if name not in QUANTITIES and ends:
        return f"Did you mean {ends[0]!r}?"
    if near := difflib.get_close_matches(name, METRICS, n=1):
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(QUANTITIES)}, and docs/gates.md has the further ones."
