"""Prefill and decode, told apart where that is honest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.energy.measured import Phase
from pytest_llem.energy.phases.measured import measured_split
from pytest_llem.energy.phases.overlap import overlap_of
from pytest_llem.energy.phases.regressed import regressed_split
from pytest_llem.energy.phases.sliced import sliced_split
from pytest_llem.energy.phases.split import Split, unresolved, unresolved_phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.marks import MeasurementMarks
    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.sampling.trace import Trace


def phases_of(
    marks: MeasurementMarks,
    whole: Mapping[str, Any],
    samples: Sequence[WindowSample],
    traces: Sequence[Trace],
) -> tuple[Phase, Phase]:
    """Prefill and decode of a measurement.

    Args:
        marks: with the method that was asked for.
        whole: figures of the whole.
        samples: what the marked windows came to, in the same order.
        traces: of the devices that are summed.
    """
    if reason := _hopeless(marks, whole):
        found = unresolved(reason)
    elif whole["output_tokens"] == whole["requests"]:
        return _all_prefill(whole)
    else:
        found = _told(marks, whole, samples, traces)
    return found.prefill, found.decode


def _hopeless(marks: MeasurementMarks, whole: Mapping[str, Any]) -> str:
    if marks.kind != "workload":
        return "This is not the workload of a model: what is prefill in it is not known."
    if any(one.served for mark in marks.windows for one in mark.passes):
        return (
            "Requests of traffic come and go: a server decodes some while others are in prefill, "
            "in the same steps, and says nothing of what either took."
        )
    if whole["energy_j"] is None:
        return "The whole could not be measured."
    if marks.phases == "none":
        return "No phases were asked for (measurement.phases=none)."
    return _undivided(whole)


def _undivided(whole: Mapping[str, Any]) -> str:
    """Why figures of a whole cannot be those of two parts, else nothing."""
    requests, tokens = whole["requests"], whole["output_tokens"]
    if requests is None or tokens is None:
        return (
            "How many requests and output tokens a pass has is not known, so neither is which "
            "tokens are prefill's. Use an engine that counts them."
        )
    if not 0 < requests <= tokens:
        return (
            f"A pass of {requests} requests came to {tokens} output tokens: some requests had no "
            "first token, with which prefill ends."
        )
    if whole["energy_j"] <= 0 or whole["duration_s"] <= 0:
        return (
            f"The whole came to {whole['energy_j']:.4g} J and {whole['duration_s']:.4g} s, of which "
            "there are no parts."
        )
    return ""


def _all_prefill(whole: Mapping[str, Any]) -> tuple[Phase, Phase]:
    prefill = {
        **whole,
        "method": "measured",
        "reason": "With one output token a request all is prefill.",
    }
    nothing = "One output token a request leaves nothing to decode."
    return Phase.model_validate(prefill), unresolved_phase(nothing)


def _told(
    marks: MeasurementMarks,
    whole: Mapping[str, Any],
    samples: Sequence[WindowSample],
    traces: Sequence[Trace],
) -> Split:
    if marks.phases == "sliced":
        return sliced_split(whole, marks.windows, samples, traces)
    if marks.phases == "auto" and not any(sample.phase != "whole" for sample in samples):
        return _without_windows(sliced_split(whole, marks.windows, samples, traces))
    found = _by_windows(marks, whole, samples, traces)
    overlap = overlap_of(mark for mark in marks.windows if mark.phase == "whole")
    if found.resolved and overlap:
        return found.noted(f"{overlap} Decode is what they cost beyond prefill alone.")
    return found


def _by_windows(
    marks: MeasurementMarks,
    whole: Mapping[str, Any],
    samples: Sequence[WindowSample],
    traces: Sequence[Trace],
) -> Split:
    """By windows of their own: at several lengths if there are any, else of prefill only."""
    if marks.phases == "regressed":
        return regressed_split(whole, samples)
    if marks.phases == "measured" or not any(sample.phase == "length" for sample in samples):
        return measured_split(whole, samples, traces)
    regressed = regressed_split(whole, samples)
    if regressed.resolved:
        return regressed
    measured = measured_split(whole, samples, traces)
    return (measured if measured.resolved else regressed).noted(
        f"It was not regressed. {regressed.prefill.reason}"
        if measured.resolved
        else measured.prefill.reason
    )


def _without_windows(sliced: Split) -> Split:
    if sliced.resolved:
        return sliced
    return unresolved(
        "There are no prefill-only windows (measurement.prefill_windows=0), and the windows over "
        f"the whole cannot be cut. {sliced.prefill.reason}"
    )
