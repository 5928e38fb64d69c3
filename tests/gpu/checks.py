"""All checks in their order, within a limit of time, and what they leave behind."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu import cost, duty, effect, experiments, random_model, tick
from gpu.findings import BROKEN, CannotRunError, Finding, not_run
from gpu.load import ChildLoad
from gpu.recording import MS, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.meter import Device, Meter
    from pytest_llem.energy.sampling.trace import Trace

LLAMA_1B = random_model.Recipe()
TINY = "built-in (5.8 M)"
RANDOM = "random Llama"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often. The default is meant to take about seven minutes on an H100."""

    budget_s: float = 450.0
    """No check begins that would not end by then."""
    tick_s: float = 6.0
    shifts: int = 8
    shift_repeats: int = 3
    periods: int = 22
    calls: int = 1000
    pairs: int = 60
    block_s: float = 0.5
    repeats: int = 10
    repeat_s: float = 12.0
    """What a repeat is expected to take, loading included."""
    tiny_batches: tuple[int, ...] = (1, 32)
    random_batches: tuple[int, ...] = (1, 8, 32, 128)
    experiment_s: float = 16.0
    """What an experiment with phases is expected to take, loading included."""
    input_tokens: int = 128
    output_tokens: int = 32
    windows: int = 3
    window_s: float = 0.7
    warmup_max_s: float = 6.0
    recipe: random_model.Recipe = LLAMA_1B

    def seconds(self, check: str) -> float:
        """How long a check is expected to take."""
        blocks = self.shifts * self.shift_repeats
        models = len(self.tiny_batches) + len(self.random_batches)
        return {
            cost.CHECK: 10.0,
            tick.CHECK: 2 * self.tick_s + 1,
            duty.CHECK: blocks * (0.1 * self.periods + 0.4),
            effect.CHECK: 2 * self.pairs * self.block_s + 15,
            experiments.REPEATS: self.repeats * self.repeat_s,
            experiments.LADDER: models * self.experiment_s,
        }[check]

    def least_s(self, check: str) -> float:
        """Time without which a check is not begun; those of experiments may be cut short."""
        return {
            experiments.REPEATS: 3 * self.repeat_s,
            experiments.LADDER: self.experiment_s,
        }.get(check, self.seconds(check))


DRY = Plan(
    budget_s=100.0,
    tick_s=1.2,
    shifts=4,
    shift_repeats=1,
    periods=8,
    calls=20,
    pairs=12,
    block_s=0.2,
    repeats=3,
    repeat_s=5.0,
    tiny_batches=(1,),
    random_batches=(2,),
    experiment_s=5.0,
    input_tokens=8,
    output_tokens=4,
    windows=1,
    window_s=0.3,
    warmup_max_s=0.5,
    recipe=random_model.Recipe(64, 96, 2, 4, 2, 2048),
)
"""For trying the checks themselves: everything runs, and nothing is learnt."""


@dataclass(slots=True)
class Bench:
    """One device with everything that the checks need, and what they found."""

    meter: Meter
    device: Device
    torch_device: str
    """Of the load: ``cuda:0``, or ``cpu`` to try things out."""
    calls: Mapping[str, Callable[[], object]]
    """The driver's calls that a sampler makes, by name."""
    out: Path
    plan: Plan
    say: Callable[[str], None] = print
    findings: list[Finding] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    load_about: dict[str, Any] | None = None
    """What the load said of torch and its kernels; ``None`` if it did not start."""
    experiment: tuple[Path, str] | None = None
    """Run and name of the experiment whose raw data is kept."""

    _began_s: float = field(default_factory=time.monotonic)

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.meter, self.device)

    def run(self) -> None:
        """Every check; one that breaks does not keep the others from running."""
        with tempfile.TemporaryDirectory(prefix="llem-gpu-check-") as folder:
            place = Path(folder)
            model = self._written_model(place)
            self._with_load(place)
            runner = experiments.Runner(place / "runs")
            (place / "runs").mkdir()
            tiny = self._config("builtin/tiny", 8, phases=False)
            self._try(
                experiments.REPEATS,
                lambda: experiments.repeats(
                    runner, tiny, self.plan.repeats, self._until_s(experiments.LADDER)
                ),
            )
            self._try(experiments.LADDER, lambda: self._ladder(runner, model))
            self._keep_experiment(runner)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _with_load(self, place: Path) -> None:
        """The checks that need a load, or one that can be told when to begin."""
        self._try(cost.CHECK, lambda: cost.cost(self.calls, self.plan.calls))
        checks = (tick.CHECK, duty.CHECK, effect.CHECK)
        try:
            load = ChildLoad(self.torch_device, place / "load.log")
        except CannotRunError as error:
            self.findings += [not_run(check, error) for check in checks]
            return
        self.load_about = load.about
        try:
            self._try(tick.CHECK, lambda: self._tick(load))
            self._try(duty.CHECK, lambda: self._duty(load))
            self._try(effect.CHECK, lambda: self._effect(load))
        finally:
            load.close()

    def _tick(self, load: ChildLoad) -> Finding:
        self.traces.append(self._recorder.new_trace())
        return tick.tick(self._recorder, load, self.traces[-1], self.plan.tick_s)

    def _duty(self, load: ChildLoad) -> Finding:
        figures = next((one.figures for one in self.findings if one.check == tick.CHECK), {})
        seen = [figures.get("busy", {}).get(name) for name in ("power", "counter")]
        periods_ms = [one["period_ms"] for one in seen if one and one["period_ms"]]
        if not periods_ms:
            raise CannotRunError("no refresh period was seen")
        self.traces.append(self._recorder.new_trace())
        return duty.duty(
            self._recorder,
            load,
            self.traces[-1],
            max(periods_ms) * MS,
            shifts=self.plan.shifts,
            repeats=self.plan.shift_repeats,
            periods=self.plan.periods,
        )

    def _effect(self, load: ChildLoad) -> Finding:
        """With the built-in model: its kernels are so short that its process has no time to lose."""
        from pytest_llem.energy.sampling.sampler import Sampler

        config = self._config("builtin/tiny", 1).model_copy(update={"output_tokens": 4})
        return effect.effect(
            self._recorder,
            load,
            lambda: Sampler(self.meter, [self.device]),
            config.model_dump(mode="json"),
            pairs=self.plan.pairs,
            block_s=self.plan.block_s,
        )

    def _ladder(self, runner: experiments.Runner, model: Path | None) -> Finding:
        asked = [(TINY, "builtin/tiny", batch) for batch in self.plan.tiny_batches]
        if model is not None:
            label = f"{RANDOM} ({self.plan.recipe.parameters / 1e9:.2g} B)"
            asked += [(label, str(model), batch) for batch in self.plan.random_batches]
        configs = [(label, self._config(name, batch)) for label, name, batch in asked]
        return experiments.ladder(runner, configs, self._began_s + self.plan.budget_s)

    def _config(self, model: str, batch: int, *, phases: bool = True) -> ExperimentConfig:
        from pytest_llem.config.experiment import ExperimentConfig

        plan, on_gpu = self.plan, self.torch_device.startswith("cuda")
        measurement = {
            "windows": plan.windows,
            "window_s": plan.window_s,
            "prefill_windows": 2 if phases else 0,
            "warmup_min_s": min(0.5, plan.warmup_max_s),
            "warmup_max_s": plan.warmup_max_s,
        }
        return ExperimentConfig.model_validate(
            {
                "model": model,
                "dtype": "bfloat16" if on_gpu else "float32",
                "device": "cuda" if on_gpu else "auto",
                "batch_size": batch,
                "input_tokens": plan.input_tokens,
                "output_tokens": plan.output_tokens,
                "measurement": measurement,
            }
        )

    def _written_model(self, place: Path) -> Path | None:
        self.say("writing the random model ...")
        try:
            return random_model.write(self.plan.recipe, place / "model")
        except OSError as error:
            self.say(f"the random model is left out: {error}")
            return None

    def _try(self, check: str, run: Callable[[], Finding]) -> None:
        left_s = self.plan.budget_s - self.elapsed_s
        if left_s < self.plan.least_s(check):
            self.findings.append(not_run(check, f"only {left_s:.0f} s were left"))
            return
        self.say(f"{check} ...")
        try:
            self.findings.append(run())
        except CannotRunError as error:
            self.findings.append(not_run(check, error))
        except Exception as error:  # noqa: BLE001 - the others may still work
            self.findings.append(Finding(check, f"{type(error).__name__}: {error}", BROKEN))
        self.say(f"  {self.findings[-1].verdict}")

    def _until_s(self, before: str) -> float:
        """When a check has to end, so that *before* still has its time."""
        return self._began_s + self.plan.budget_s - self.plan.seconds(before)

    def _keep_experiment(self, runner: experiments.Runner) -> None:
        """The raw data of the ladder's experiment that is most like others: a middle batch."""
        rows: list[dict[str, Any]] = next(
            (
                one.figures.get("rows", [])
                for one in self.findings
                if one.check == experiments.LADDER
            ),
            [],
        )
        valid = [row for row in rows if row["valid"]]
        if not valid or runner.latest is None:
            return
        middle = min(valid, key=lambda row: (row["model"] == TINY, abs(row["batch_size"] - 8)))
        for path in (runner.latest / "raw").glob(f"{middle['experiment_id']}*.parquet"):
            kind = path.name.split(".")[-2]
            shutil.copyfile(path, self.out / f"experiment.{kind}.parquet")
