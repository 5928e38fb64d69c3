"""Rules of a gate: a metric and what is tolerated."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from pytest_llem.baselines.metrics import HEADLINE, Metric, metric_named
from pytest_llem.baselines.units import SCALES
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_TOLERANCE = 0.05
"""What counts as unchanged where nobody said: it only colours a comparison."""
_EXAMPLES = "Write it like energy_per_output_token_j:5%, ttft_s:+20ms or energy_j:5%+10mJ."
_PART = re.compile(r"(?P<sign>\+?)\s*(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*(?P<unit>\D*)")
_BOTH = re.compile(r",|(?<=[%A-Za-z])\s*(?=\+)")
"""Between two tolerances: a comma, or the plus sign of the second."""
_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+))\s*(?P<unit>[^\d\s]\S*)?"
)
"""A limit of a recorded figure, which may be zero and less."""
_LIMIT = re.compile(r"\s*(?P<sign>>=|<=|≥|≤)\s*(?P<value>.*)", re.DOTALL)
Direction = Literal["higher", "lower"]
OFF = "off"
"""Instead of a tolerance: no gate for this metric, whatever was said with less precedence."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How much worse a metric may become."""

    metric: str
    """Name of the metric, a phase before it where it is one."""
    relative: float | None
    """Tolerated relative change, 0.05 for five percent; ``None`` if only absolute."""
    absolute: float | None
    """Tolerated change in the metric's unit; with a relative one, both must be exceeded."""
    tolerance: str
    """The tolerance as it was declared."""
    informational: bool = False
    """Compared and shown, but never failing a test."""
    better: Direction | None = None
    """Which direction is better, where it was declared; ``None`` takes the metric's own."""
    limit: float | None = None
    """What the metric is compared with instead of a baseline, in its unit: a floor if higher is
    better, else a ceiling. ``None`` compares with the baseline."""
    unit: str = ""
    """What the amount was written in, of a metric whose own unit is only known once a test has
    recorded it; empty for that unit itself."""

    @property
    def key(self) -> tuple[str, bool]:
        """What a later rule replaces: that of the same metric and kind."""
        return self.metric, self.limit is not None

    @property
    def higher_is_better(self) -> bool:
        """Whether a fall is a regression."""
        if self.better is None:  # a recorded figure's own is filled in once it is known
            return metric_named(self.metric).higher_is_better
        return self.better == "higher"

    def __str__(self) -> str:
        return f"{self.metric}:{self.tolerance}"


def parse_rule(text: str) -> Rule:
    """The rule that ``METRIC:TOLERANCE`` says.

    A tolerance is relative (``5%``), absolute (``+20ms``, ``0.01J``), or both
    (``5%+2mJ``, ``5%,2mJ``): then a regression has to exceed both. A number without a
    unit is absolute, and is only taken where it cannot be a forgotten percent sign:
    for a metric without a unit of its own, or behind a plus sign. ``higher`` or
    ``lower`` among its parts says what is better, for those who want it otherwise than
    the metric has it. A limit (``>=0.9``, ``<=200ms``) needs no baseline.

    Raises:
        ConfigError: there is no such metric, or the tolerance makes no sense.
    """
    name, colon, tolerance = text.partition(":")
    if not colon and re.search(r"[=<>≤≥]", text):
        raise ConfigError(f"the gate {text!r} has no colon behind its metric. {_EXAMPLES}")
    limit = _LIMIT.fullmatch(tolerance)
    metric = metric_named(name.strip())
    if limit:
        return (
            _recorded_limit(metric, limit, text)
            if metric.is_recorded
            else _limited(metric, limit, text)
        )
    if not colon or not tolerance.strip():
        raise ConfigError(f"the gate {text!r} has no tolerance. {_EXAMPLES}")
    parts = [part.strip() for part in _BOTH.split(tolerance)]
    better = _direction([part for part in parts if part in get_args(Direction)], text)
    falls = metric.higher_is_better if better is None else better == "higher"
    if metric.is_recorded:  # whose direction is known once it is recorded
        falls = better == "higher"
    found = {"better": better, **_tolerances(_without(parts), metric, text, falls=falls)}
    return Rule(metric.name, tolerance=tolerance.strip(), **found)


def _without(parts: Sequence[str]) -> list[str]:
    return [part for part in parts if part not in get_args(Direction)]


def _direction(said: list[Any], text: str) -> Direction | None:
    if len(said) > 1:
        raise ConfigError(f"the gate {text!r} says twice what is better. {_EXAMPLES}")
    return said[0] if said else None


def _recorded_limit(metric: Metric, limit: re.Match[str], text: str) -> Rule:
    """A floor or a ceiling of a recorded figure, in whatever unit that is recorded in."""
    said = limit["value"].strip()
    match = _NUMBER.fullmatch(said)
    if match is None or not math.isfinite(value := float(match["number"])):
        raise ConfigError(
            f"the gate {text!r} is no limit: write a number, as in quality.accuracy:>=0.7 or "
            "quality.latency:<=200ms."
        )
    better: Direction = "higher" if limit["sign"] in {">=", "≥"} else "lower"
    tolerance = f"{limit['sign']}{said}"
    unit = match["unit"] or ""
    return Rule(metric.name, 0.0, None, tolerance, better=better, limit=value, unit=unit)


def _tolerances(parts: list[str], metric: Metric, text: str, *, falls: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"relative": None, "absolute": None}
    if not parts:
        raise ConfigError(f"the gate {text!r} has no tolerance. {_EXAMPLES}")
    for part in parts:
        value, is_relative = _tolerance(part, metric, text, falls=falls)
        if metric.is_recorded and not is_relative:
            found["unit"] = _written_unit(part)
        kind = "relative" if is_relative else "absolute"
        if found[kind] is not None:
            raise ConfigError(f"the gate {text!r} has two tolerances of one kind. {_EXAMPLES}")
        found[kind] = value
    return found


def _limited(metric: Metric, limit: re.Match[str], text: str) -> Rule:
    """A floor or a ceiling; percent is a share where the metric is one."""
    said = limit["value"].strip()
    match = _PART.fullmatch(said)
    shares = not metric.unit and match is not None and match["unit"].strip() == "%"
    if match and shares:
        value, is_relative = float(match["number"]) / 100, False
    else:
        value, is_relative = _tolerance(said, metric, text, falls=False)
    if is_relative or not 0 < value < math.inf:
        raise ConfigError(
            f"the gate {text!r} is no limit: write a positive amount, as in ttft_s:<=200ms or "
            "traffic.goodput_share:>=95%."
        )
    better: Direction = "higher" if limit["sign"] in {">=", "≥"} else "lower"
    tolerance = f"{limit['sign']}{said}"
    return Rule(metric.name, 0.0, None, tolerance, better=better, limit=value)


def parse_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of all gates; of several for one metric the last holds.

    Without any gate the headline is compared for information: the change and its
    interval are shown, and nothing fails.
    """
    rules = {rule.key: rule for rule in map(parse_rule, texts)}
    return tuple(rules.values()) or (informational_rule(HEADLINE),)


def informational_rule(metric: str) -> Rule:
    """A comparison of *metric* that never fails."""
    return Rule(metric, DEFAULT_TOLERANCE, None, f"{DEFAULT_TOLERANCE:.0%}", informational=True)


def _tolerance(part: str, metric: Metric, text: str, *, falls: bool) -> tuple[float, bool]:
    """Value of one tolerance in the metric's unit, and whether it is relative."""
    match = _PART.fullmatch(part)
    if match is None or not math.isfinite(number := float(match["number"])):
        raise ConfigError(f"{part!r} in the gate {text!r} is not a tolerance. {_EXAMPLES}")
    unit = match["unit"].strip()
    if unit == "%":
        return _relative(number / 100, metric, text, falls=falls), True
    if metric.is_recorded:
        return number, False
    scales = SCALES[metric.unit.split("/")[0]]
    if not unit and match["sign"]:
        return number, False
    if unit not in scales:
        raise ConfigError(_wrong_unit(part, unit, list(scales), text))
    return number * scales[unit], False


def _written_unit(part: str) -> str:
    match = _PART.fullmatch(part)
    return match["unit"].strip() if match else ""


def _relative(value: float, metric: Metric, text: str, *, falls: bool) -> float:
    if falls and value >= 1:
        raise ConfigError(
            f"the gate {text!r} tolerates that {metric.name} falls by all of its value and more. "
            "Write less than 100%."
        )
    return value


def _wrong_unit(part: str, unit: str, known: list[str], text: str) -> str:
    units = ", ".join(["%", *(name for name in known if name)])
    said = f"has the unit {unit!r}" if unit else "has no unit"
    return f"{part!r} in the gate {text!r} {said}; this metric takes {units}. {_EXAMPLES}"
