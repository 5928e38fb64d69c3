"""Rules of a gate: a metric and what is tolerated."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from pytest_llem.baselines.metrics import HEADLINE, Metric, metric_named
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_TOLERANCE = 0.05
"""What counts as unchanged where nobody said: it only colours a comparison."""
_EXAMPLES = "Write it like energy_per_output_token_j:5%, ttft_s:+20ms or energy_j:5%+10mJ."
_PART = re.compile(r"(?P<sign>\+?)\s*(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*(?P<unit>\D*)")
_BOTH = re.compile(r",|(?<=[%A-Za-z])\s*(?=\+)")
"""Between two tolerances: a comma, or the plus sign of the second."""
_LIMIT = re.compile(r"\s*(?P<sign>>=|<=|≥|≤)\s*(?P<value>.*)", re.DOTALL)
_SCALES = {
    "J": {"J": 1.0, "mJ": 1e-3, "kJ": 1e3},
    "W": {"W": 1.0, "mW": 1e-3, "kW": 1e3},
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6},
    "tokens": {"": 1.0, "tokens/s": 1.0},
    "requests": {"": 1.0, "requests/s": 1.0, "requests": 1.0, "/s": 1.0},
    "": {"": 1.0},
}
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

    @property
    def key(self) -> tuple[str, bool]:
        """What a later rule replaces: that of the same metric and kind."""
        return self.metric, self.limit is not None

    @property
    def higher_is_better(self) -> bool:
        """Whether a fall is a regression."""
        if self.better is None:
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
    limit = _LIMIT.fullmatch(tolerance)
    if limit and name.strip().startswith("quality."):
        raise ConfigError(
            f"the gate {text!r} is a floor of quality, which this version of pytest-llem does not "
            "measure. Assert it in the test until then."
        )
    metric = metric_named(name.strip())
    if limit:
        return _limited(metric, limit, text)
    if not colon or not tolerance.strip():
        raise ConfigError(f"the gate {text!r} has no tolerance. {_EXAMPLES}")
    parts = [part.strip() for part in _BOTH.split(tolerance)]
    better = _direction([part for part in parts if part in get_args(Direction)], text)
    falls = metric.higher_is_better if better is None else better == "higher"
    found = {"better": better, **_tolerances(_without(parts), metric, text, falls=falls)}
    return Rule(metric.name, tolerance=tolerance.strip(), **found)


def _without(parts: Sequence[str]) -> list[str]:
    return [part for part in parts if part not in get_args(Direction)]


def _direction(said: list[Any], text: str) -> Direction | None:
    if len(said) > 1:
        raise ConfigError(f"the gate {text!r} says twice what is better. {_EXAMPLES}")
    return said[0] if said else None


def _tolerances(parts: list[str], metric: Metric, text: str, *, falls: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"relative": None, "absolute": None}
    if not parts:
        raise ConfigError(f"the gate {text!r} has no tolerance. {_EXAMPLES}")
    for part in parts:
        value, is_relative = _tolerance(part, metric, text, falls=falls)
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
    scales = _SCALES[metric.unit.split("/")[0]]
    if not unit and match["sign"]:
        return number, False
    if unit not in scales:
        raise ConfigError(_wrong_unit(part, unit, list(scales), text))
    return number * scales[unit], False


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
