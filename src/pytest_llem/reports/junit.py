"""Metrics and verdicts as properties of a test, which JUnit and JSON reports carry."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeAlias

from pytest_llem.baselines.verdict import worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Figures, Measured
    from pytest_llem.results.schema import ExperimentResult

Property: TypeAlias = tuple[str, str | float]

_METRICS = (
    "energy_per_output_token_j",
    "energy_per_output_token_uncertainty_j",
    "energy_per_request_j",
    "energy_j",
    "energy_uncertainty_j",
    "power_w",
    "duration_s",
    "output_tokens_per_s",
    "ttft_s",
    "itl_s",
)
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write (section 2.2); pytest escapes it in values, in names it does not."""
_SCOPE_METRICS = _METRICS[:6]
_PHASE_METRICS = ("energy_j", "energy_uncertainty_j", "energy_per_output_token_j", "duration_s")


def user_properties(result: ExperimentResult, judgements: Sequence[Judgement]) -> list[Property]:
    """What to add to the ``user_properties`` of the test's reports.

    They belong on the call report, for those who read reports as they come, and on
    the teardown report, from which junitxml and pytest-json-report take them.

    Names start with ``llem.`` and end with the unit; a figure that is unknown has
    no property. Measurements beyond the headline have their name after ``llem.``.
    """
    properties: list[Property] = [
        ("llem.experiment_id", result.experiment_id),
        ("llem.config_hash", result.config_hash),
        ("llem.run_id", result.run_id),
    ]
    for measured in result.measurements:
        properties += _of_measurement(measured, _prefix(result, measured.name))
    for one in result.recorded:
        properties += _number(f"llem.{one.metric}", one.value)
        properties += _number(f"llem.{one.metric}.uncertainty", one.uncertainty)
    verdict = worst(judgements)
    if verdict is not None:
        properties.append(("llem.verdict", verdict.verdict))
    for judgement in judgements:
        properties += _of_judgement(judgement, _prefix(result, judgement.measurement))
    return [(_NO_XML.sub(_escaped, name), value) for name, value in properties]


def _escaped(found: re.Match[str]) -> str:
    return f"#x{ord(found[0]):02X}"


def _prefix(result: ExperimentResult, measurement: str) -> str:
    headline = result.headline
    if headline is None or headline.name == measurement:
        return "llem."
    return f"llem.{measurement}."


def _of_measurement(measured: Measured, prefix: str) -> Iterator[Property]:
    yield f"{prefix}meter", measured.meter
    yield f"{prefix}scope", measured.scope
    yield f"{prefix}method", measured.method
    yield f"{prefix}estimated", _truth(measured.estimated)
    yield f"{prefix}valid", _truth(measured.valid)
    yield from _figures(measured, _METRICS, prefix)
    for name, phase in (("prefill", measured.prefill), ("decode", measured.decode)):
        yield f"{prefix}{name}.method", phase.method
        yield from _figures(phase, _PHASE_METRICS, f"{prefix}{name}.")
    for one in measured.beside:
        beside = f"{prefix}{one.meter}.{one.scope}."
        yield f"{beside}method", one.method
        yield from _figures(one, _SCOPE_METRICS, beside)
    if measured.total is not None:
        yield f"{prefix}total.scopes", " ".join(measured.total.scopes)
        yield from _figures(measured.total, _SCOPE_METRICS, f"{prefix}total.")
    if measured.warnings:
        yield f"{prefix}warnings", "; ".join(measured.warnings)


def _figures(figures: Figures, metrics: Sequence[str], prefix: str) -> Iterator[Property]:
    for metric in metrics:
        yield from _number(f"{prefix}{metric}", getattr(figures, metric))


def _of_judgement(judgement: Judgement, prefix: str) -> Iterator[Property]:
    name = f"{prefix}{judgement.metric}"
    yield f"{name}.verdict", judgement.verdict
    yield f"{name}.gated", _truth(judgement.gated)
    yield f"{name}.tolerance", judgement.tolerance
    yield f"{name}.explanation", judgement.explanation
    low, high = judgement.interval or (None, None)
    yield from _number(f"{name}.relative_change", judgement.change)
    yield from _number(f"{name}.relative_change_low", low)
    yield from _number(f"{name}.relative_change_high", high)
    yield from _number(f"{prefix}baseline.{judgement.metric}", judgement.baseline)


def _number(name: str, value: float | None) -> Iterator[Property]:
    """The property, unless it is unknown; JSON knows neither NaN nor infinity."""
    if value is not None and math.isfinite(value):
        yield name, value


def _truth(value: bool) -> str:
    return "true" if value else "false"
