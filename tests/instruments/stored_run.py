"""Runs as they are stored, of as many made-up experiments as somebody wants to look at.

Nothing was measured: what an experiment costs follows from its batch size, its data type and its
device, with noise of a seed. One in some lacks a figure, failed, or has a name to trip over.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.compared import (
    Compared,
    ComparedMetric,
    ComparedSession,
    keep_compared,
)
from pytest_llem.baselines.kept import JudgedExperiment, Verdicts, keep_verdicts
from pytest_llem.baselines.verdict import Judgement, Verdict
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.energy.marks import MeasurementMarks, Pass, WarmUp, WindowMark
from pytest_llem.energy.measured import Measured, Phase, WindowSample
from pytest_llem.energy.recorded import Recorded
from pytest_llem.energy.sampling.trace import Trace
from pytest_llem.results.environment import Environment
from pytest_llem.results.manifest import PlannedExperiment
from pytest_llem.results.names import repeat_name
from pytest_llem.results.preview.files import keep_preview
from pytest_llem.results.preview.making import preview_of
from pytest_llem.results.raw import RawData
from pytest_llem.results.schema import DeviceFacts, ExperimentResult, Methodology
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SECOND_NS = 1_000_000_000
ENERGY = "energy_per_output_token_j"
WINDOWS, PREFILL_WINDOWS = 5, 3
HOSTILE = (
    "<script>document.title='run'</script>",
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "<!--<script>",
    "']};document.title='run'//",
    "${title}$data",
    "\u2028\u202e%3Cb%3E&lt;&amp;\u0000",
)
"""Labels that would run, end or turn round a page that takes text for markup."""


@dataclass(frozen=True, slots=True)
class Card:
    """What an experiment is measured on."""

    name: str
    method: str
    idle_w: float
    busy_w: float
    speed: float
    """Output tokens per second at batch size 1."""


CARDS = (
    Card("NVIDIA H100 80GB HBM3", "counter", 90.0, 560.0, 140.0),
    Card("NVIDIA A100-SXM4-40GB", "counter", 55.0, 330.0, 82.0),
    Card("AMD EPYC 9354", "estimated", 0.0, 180.0, 11.0),
)
VERDICTS: tuple[Verdict, ...] = ("pass", "pass", "pass", "improved", "inconclusive", "regressed")


@dataclass(frozen=True, slots=True)
class Made:
    """A made-up experiment."""

    results: tuple[ExperimentResult, ...]
    judgements: tuple[Judgement, ...]
    baseline: tuple[ComparedSession, ...]


def stored_run(  # noqa: PLR0913 - each is about another test
    root: Path,
    experiments: int,
    *,
    processes: int = 1,
    readings: int = 900,
    labels: Sequence[str] = (),
    seed: int = 1,
) -> RunStore:
    """A finished run below *root*.

    Args:
        root: as ``.llem``.
        experiments: how many; the first have *labels*.
        processes: of each.
        readings: of power, a process; 0 keeps no preview, as versions of before.
        labels: what the first experiments are called.
        seed: of the noise.
    """
    noise = random.Random(seed)  # noqa: S311 - noise, not a secret
    store = RunStore.create(
        root,
        command=["pytest", "bench/", "--llem-gate=energy_per_output_token_j:5%"],
        environment=Environment(
            os="Debian GNU/Linux 12", cpu_model="AMD EPYC 9354", python="CPython 3.13.1"
        ),
        repeats=processes,
        planned=[
            PlannedExperiment(
                experiment_id=f"test_serving-{place:016x}", label="", config_hash=f"{place:016x}"
            )
            for place in range(experiments)
        ],
    )
    judged, compared = [], {}
    for place in range(experiments):
        made = _made(place, processes, labels, noise)
        names = [_keep(store, result, readings, noise) for result in made.results]
        judged.append(
            JudgedExperiment(result=names[-1], planned=processes, judgements=made.judgements)
        )
        if made.baseline:
            metric = ComparedMetric(measurement="workload", metric=ENERGY, sessions=made.baseline)
            compared[names[-1]] = (metric,)
    keep_verdicts(store, Verdicts(experiments=tuple(judged)))
    keep_compared(store, Compared(baselines=compared))
    store.finish()
    return store


def _keep(store: RunStore, result: ExperimentResult, readings: int, noise: random.Random) -> str:
    name = repeat_name(result.experiment_id, result.repeat)
    path = store.path / "results" / f"{name}.json"
    path.write_text(result.model_dump_json(), encoding="utf-8")
    if readings and result.headline is not None:
        preview = preview_of(_raw(result, readings, noise))
        assert preview is not None
        keep_preview(store.path, name, preview)
    return name


def _made(place: int, processes: int, labels: Sequence[str], noise: random.Random) -> Made:
    card = CARDS[place % len(CARDS)]
    batch = 2 ** (place // len(CARDS) % 7)
    dtype = ("bfloat16", "float16", "float32")[place // 21 % 3]
    label = labels[place] if place < len(labels) else f"{dtype}-{batch}-{place}"
    speed = card.speed * batch**0.82 * noise.uniform(0.9, 1.1)
    energy_j = card.busy_w * noise.uniform(0.9, 1.1) / speed
    outcome = "failed" if place % 41 == 40 else "passed"
    config = ExperimentConfig(dtype=dtype, batch_size=batch)
    results = tuple(
        _result(place, repeat, label, card, config, outcome, (energy_j, speed), noise)
        for repeat in range(processes)
    )
    if outcome == "failed":
        return Made(results, (), ())
    judgements, baseline = _judged(place, energy_j, processes, noise)
    return Made(results, judgements, baseline)


def _result(  # noqa: PLR0913, PLR0917 - what a result is made of
    place: int,
    repeat: int,
    label: str,
    card: Card,
    config: ExperimentConfig,
    outcome: Any,
    figures: tuple[float, float],
    noise: random.Random,
) -> ExperimentResult:
    group = f"bench/test_serving.py::test_{('chat', 'code', 'summary')[place % 3]}"
    device = DeviceFacts(uuid=f"GPU-{card.name}", name=card.name, index=0, power_limit_w=None)
    estimated = card.method == "estimated"
    return ExperimentResult(
        experiment_id=f"test_serving-{place:016x}",
        config_hash=f"{place:016x}",
        group=group,
        label=label,
        own_arguments={},
        node_id=f"{group}[{label}]",
        run_id="run",
        repeat=repeat,
        outcome=outcome,
        message="AssertionError: <b>too slow</b>\nassert 3 < 2" if outcome == "failed" else None,
        started_at="2026-11-03T14:15:02+00:00",
        config=config,
        measurement_methodology=Methodology(
            meter="estimate" if estimated else "nvml",
            scope="process" if estimated else "gpu",
            method=card.method,
            devices=(device,),
            estimator="edges 1",
            declared_w_per_core=10.0 if estimated else None,
        ),
        steady_state_window=None,
        measurements=(_measured(place, card, config, figures, noise),),
        engine={
            "name": "transformers",
            "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
            "effective": {"dtype": "float32" if place % 17 == 16 else config.dtype},
        },
        wall_s=31.0,
        recorded=_recorded(place),
    )


def _recorded(place: int) -> tuple[Recorded, ...]:
    """What every second experiment says of its answers."""
    if place % 2:
        return ()
    share = Recorded(
        name="accuracy", value=0.8, standard_error=0.05, items=64, share=True, higher_is_better=True
    )
    return share, Recorded(name="longest", value=17.0 + place, unit="words")


def _measured(
    place: int,
    card: Card,
    config: ExperimentConfig,
    figures: tuple[float, float],
    noise: random.Random,
) -> Measured:
    energy_j, speed = figures
    tokens = 64 * config.batch_size
    duration_s = tokens / speed
    ttft_s = 0.004 * config.batch_size**0.6 * noise.uniform(0.9, 1.2)
    known = place % 23 != 22
    spread = energy_j * noise.uniform(0.005, 0.04)
    windows = [
        *(_window("whole", index, energy_j, tokens, duration_s, noise) for index in range(WINDOWS)),
        *(
            _window("prefill", index, energy_j, tokens, duration_s / 4, noise)
            for index in range(PREFILL_WINDOWS)
        ),
    ]
    work = {"requests": config.batch_size, "input_tokens": 128, "output_tokens": tokens}
    whole = {
        **work,
        "energy_j": energy_j * tokens,
        "energy_uncertainty_j": spread * tokens,
        "power_w": energy_j * speed,
        "duration_s": duration_s,
        "energy_per_output_token_j": energy_j if known else None,
        "energy_per_output_token_uncertainty_j": spread if known else None,
        "energy_per_request_j": energy_j * 64,
        "output_tokens_per_s": speed,
        "ttft_s": ttft_s if place % 29 != 28 else None,
        "itl_s": duration_s / 64,
    }
    part = {**dict.fromkeys(whole), **work}
    shares = {"prefill": 0.2, "decode": 0.8}
    phases = {
        name: Phase(
            **{**part, "energy_j": energy_j * tokens * share, "energy_uncertainty_j": spread},
            method="measured",
            reason="Mean over 3 prefill-only windows.",
        )
        for name, share in shares.items()
    }
    return Measured(
        **whole,
        **phases,
        name="workload",
        meter="estimate" if card.method == "estimated" else "nvml",
        scope="process" if card.method == "estimated" else "gpu",
        method=card.method,
        devices=(card.name,),
        windows=tuple(windows),
        warm_up=WarmUp(
            start_ns=2 * SECOND_NS, end_ns=5 * SECOND_NS, passes=9, converged=True, reason="steady"
        ),
        steady_state_window=None,
        valid=place % 37 != 36,
        warnings=("clocks were lowered: sw_thermal_slowdown",) if place % 13 == 12 else (),
    )


def _window(  # noqa: PLR0913, PLR0917 - what a window is made of
    phase: Any, index: int, energy_j: float, tokens: int, pass_s: float, noise: random.Random
) -> WindowSample:
    passes = max(round(2 / pass_s), 1)
    share = 1.0 if phase == "whole" else 0.2
    energy = energy_j * tokens * passes * share * noise.gauss(1, 0.01)
    start_ns = round((6 + (index if phase == "whole" else WINDOWS + index)) * 2.4 * SECOND_NS)
    return WindowSample(
        phase=phase,
        index=index,
        start_ns=start_ns,
        end_ns=start_ns + 2 * SECOND_NS,
        duration_s=passes * pass_s,
        passes=passes,
        energy_j=energy,
        energy_uncertainty_j=energy * 0.004,
        counter_energy_j=energy,
        integrated_energy_j=energy * noise.gauss(1, 0.004),
        power_w=energy / (passes * pass_s),
        requests=passes,
        input_tokens=passes * 128,
        output_tokens=passes * tokens,
        ttft_s=pass_s / 9,
        itl_s=None,
        temperature_c=noise.uniform(55, 70),
        sm_clock_mhz=1755.0,
        power_limit_w=700.0,
        throttle_reasons=(),
        valid=True,
        warnings=(),
    )


def _judged(
    place: int, energy_j: float, processes: int, noise: random.Random
) -> tuple[tuple[Judgement, ...], tuple[ComparedSession, ...]]:
    if place % 11 == 10:
        word: Verdict = "new"
        return (_judgement(word, energy_j, None, 0.0),), ()
    word = VERDICTS[place % len(VERDICTS)]
    middle = {"regressed": 0.09, "improved": -0.08}.get(word, 0.0)
    change = noise.gauss(middle, 0.008)
    half = 0.09 if word == "inconclusive" else noise.uniform(0.008, 0.03)
    before_j = energy_j / (1 + change)
    sessions = tuple(
        ComparedSession(
            run_id=f"before-{day}",
            started_at=f"2026-10-{20 + day}T03:00:00+00:00",
            processes=tuple(
                tuple(before_j * noise.gauss(1, 0.012) for _ in range(WINDOWS))
                for _ in range(processes)
            ),
        )
        for day in range(2)
    )
    return (_judgement(word, energy_j, change, half),), sessions


def _judgement(verdict: Verdict, energy_j: float, change: float | None, half: float) -> Judgement:
    return Judgement(
        verdict=verdict,
        metric=ENERGY,
        measurement="workload",
        candidate=energy_j,
        baseline=None if change is None else energy_j / (1 + change),
        change=change,
        interval=None if change is None else (change - half, change + half),
        tolerance="5%",
        minimum_detectable_change=None if change is None else 0.04,
        explanation=f"{ENERGY}: it is {verdict} at tolerance 5 %",
    )


def made_raw(readings: int, seed: int = 1) -> RawData:
    """Raw data of one made-up experiment, with so many readings of power."""
    noise = random.Random(seed)  # noqa: S311 - as above
    return _raw(_made(0, 1, (), noise).results[0], readings, noise)


def _raw(result: ExperimentResult, readings: int, noise: random.Random) -> RawData:
    card = next(
        card
        for card in CARDS
        if result.measurement_methodology
        and card.name == result.measurement_methodology.devices[0].name
    )
    headline = result.headline
    assert headline is not None
    marks = MeasurementMarks(
        name="workload",
        kind="workload",
        warm_up=headline.warm_up,
        windows=tuple(_marks(headline.windows)),
        load_end_ns=27 * SECOND_NS,
    )
    return RawData(traces=(_trace(card, readings, noise),), marks=(marks,))


def _marks(windows: Sequence[WindowSample]) -> Iterator[WindowMark]:
    for window in windows:
        length_ns = (window.end_ns - window.start_ns) // 12
        starts = [window.start_ns + number * length_ns for number in range(12)]
        yield WindowMark(
            phase=window.phase,
            index=window.index,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            passes=tuple(
                Pass(
                    start_ns=start,
                    end_ns=start + length_ns,
                    requests=1,
                    input_tokens=128,
                    output_tokens=64,
                    prefill_end_ns=start + length_ns // 6,
                )
                for start in starts
            ),
        )


def _trace(card: Card, readings: int, noise: random.Random) -> Trace:
    estimated = card.method == "estimated"
    capability = Capability(
        scope="process" if estimated else "gpu",
        method="estimated" if estimated else "counter",
        resolution_j=None,
        update_period_s=None,
    )
    trace = Trace(
        device=Device(uuid=card.name, name=card.name, capability=capability, index=0),
        meter="estimate" if estimated else "nvml",
    )
    step_ns, energy_j = 38 * SECOND_NS // readings, 0.0
    for number in range(readings):
        instant = number * step_ns
        is_busy = 2 * SECOND_NS < instant < 36 * SECOND_NS
        wave = 1 + 0.06 * math.sin(instant / 9e8)
        power_w = (card.busy_w * wave if is_busy else card.idle_w) * noise.gauss(1, 0.02)
        energy_j += power_w * step_ns / 1e9
        shown_j = energy_j if number % 4 == 0 else trace.energy_j[-1]
        trace.append(Reading(instant, instant + 9000, shown_j, None if estimated else power_w))
    if not estimated:
        trace.facts += [
            Facts(
                number * SECOND_NS,
                temperature_c=round(45 + 20 * (1 - math.exp(-number / 9))),
                sm_clock_mhz=1755.0 if number % 7 else 1740.0,
            )
            for number in range(38)
        ]
    return trace
