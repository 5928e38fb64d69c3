"""When a session reads its anchors, where, and what becomes of what goes wrong."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.meter import Capability, Device
from pytest_llem.devices.selection import MeterChoice
from pytest_llem.errors import BaselineError, ConfigError, LockError
from pytest_llem.plan.point import Point
from pytest_llem.runs.anchor_sites import ENGINE, Site, Sites, sites_of
from pytest_llem.runs.anchors import Anchors, wanted_sites
from pytest_llem.runs.observation import Instrument, Source
from pytest_llem.runs.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_llem.runs.conductor import Conductor, Task
    from pytest_llem.runs.observation import Instruments

COUNTER = Capability("gpu", "counter", resolution_j=0.001, update_period_s=None)
ESTIMATED = Capability("process", "estimated", resolution_j=None, update_period_s=None)
PACKAGE = Capability("package", "counter", resolution_j=0.001, update_period_s=None)
GPUS = tuple(Device(f"GPU-{n}aaa", "H100", COUNTER, index=n) for n in range(3))
SETTINGS = RunSettings(Path(), Path(), Path(), isolation="spawn", anchors="auto")
CPU = Site("cpu", ExperimentConfig(backend=ENGINE, device="cpu"), 0)


class FakeConductor:
    """Conducts loops without any process; *problems* go wrong, one after another."""

    def __init__(self, *problems: Exception | str | None) -> None:
        self.settings = SETTINGS
        self.environment = SimpleNamespace(driver_version="580.1")
        self.launchers = SimpleNamespace(start_here=lambda _: None)
        self.store = SimpleNamespace(with_anchors=lambda: self)
        self.conducted: list[str] = []
        self.kept: list[Any] = []
        self.logged: list[str] = []
        """Names under which the log says that loops are kept."""
        self._problems = iter(problems)

    @property
    def log(self) -> Any:
        heard = SimpleNamespace(finished=lambda _, name: self.logged.append(name))
        return SimpleNamespace(witness_of=lambda _: heard)

    def conduct(self, task: Task) -> Any:
        self.conducted.append(task.point.label)
        problem = next(self._problems, None)
        if isinstance(problem, Exception):
            raise problem
        said = {"outcome": "error" if problem else "passed", "message": problem}
        task.on_message(cast("Any", SimpleNamespace(kind="outcome", fields=said)))
        observation = SimpleNamespace(traces=(), marks=())
        return SimpleNamespace(observation=observation, ending=None)

    def result(self, _: object, account: Any) -> Any:
        return SimpleNamespace(
            outcome=account.outcome,
            message=account.message,
            repeat=account.repeat,
            measurement_methodology=object(),
            headline=object(),
            measurements=(),
        )

    def write_result(self, result: Any, _: object) -> Path:
        self.kept.append(result)
        return Path(f"results/{len(self.kept)}.json")


def begun(conductor: FakeConductor, planned: int, *sites: Site) -> tuple[Anchors, list[str]]:
    said: list[str] = []
    anchors = Anchors(cast("Conductor", conductor), planned)
    anchors.begin(
        Sites(sites or (CPU,), ""), lambda text, _: said.append(text), lambda _: nullcontext()
    )
    return anchors, said


@pytest.mark.parametrize(
    ("processes", "readings"),
    [(1, [0, 1]), (2, [0, 1, 2]), (3, [0, 1, 3]), (10, [0, 5, 10]), (0, [0])],
)
def test_readings_are_taken_at_the_start_in_the_middle_and_at_the_end(
    processes: int, readings: list[int]
) -> None:
    conductor = FakeConductor()
    anchors, said = begun(conductor, processes)
    after = [0] * len(conductor.conducted)
    for number in range(1, processes + 1):
        anchors.process_ended()
        after += [number] * (len(conductor.conducted) - len(after))
    anchors.end()
    assert after == readings
    assert [one.repeat for one in conductor.kept] == list(range(len(readings)))
    assert said[-1].endswith(f"read {len(readings)} times (--llem-anchors)")


def test_the_end_is_read_where_fewer_processes_ran_than_were_planned() -> None:
    conductor = FakeConductor()
    anchors, _ = begun(conductor, 10)
    for _ in range(7):
        anchors.process_ended()
    anchors.end()
    assert len(conductor.kept) == 3


def test_looks_that_follow_at_once_do_not_read_again() -> None:
    conductor = FakeConductor()
    anchors, _ = begun(conductor, 4)
    for _ in range(4):
        anchors.process_ended()
    anchors.before_look()
    assert len(conductor.kept) == 3


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (LockError("others have it."), "others have it."),
        ("no driver.\nnone at all.", "it ended with an error: no driver."),
        (OSError(28, "No space left"), "[Errno 28] No space left"),
    ],
)
def test_a_site_that_cannot_be_read_at_the_start_is_given_up(
    problem: Exception | str, why: str
) -> None:
    conductor = FakeConductor(problem)
    anchors, said = begun(conductor, 2)
    anchors.process_ended()
    anchors.end()
    assert conductor.conducted == ["cpu"]
    assert anchors.known.why_none == why
    assert anchors.known.results == []
    assert said[0] == f"llem: anchors could not be measured: {why}"
    assert len(said) == 2  # and no cost of readings that are none


def test_what_was_read_before_is_used_where_a_later_reading_fails() -> None:
    conductor = FakeConductor(None, LockError("others have it."))
    anchors, _ = begun(conductor, 2)
    anchors.process_ended()
    anchors.process_ended()
    assert [one.repeat for one in anchors.known.results] == [0, 2]
    assert not anchors.known.why_none


class FakeInstruments:
    """Gives an experiment the devices that its seed names, measured or not."""

    def __init__(self, *devices: Device, measured: bool = True, name: str = "nvml") -> None:
        self.choice = MeterChoice(name, "", measured, devices, cast("Any", None))

    def for_experiment(self, config: ExperimentConfig, _: Mapping[str, str]) -> Instrument:
        if config.tensor_parallel_size > len(self.choice.devices):
            raise ConfigError("there are too few.")
        used = self.choice.devices[config.seed : config.seed + config.tensor_parallel_size]
        return Instrument((Source(self.choice, used),))


def found(instruments: FakeInstruments, *configs: dict[str, Any], estimates: bool = False) -> Sites:
    return sites_of(
        [ExperimentConfig.model_validate(config) for config in configs],
        cast("Instruments", instruments),
        {},
        estimates=estimates,
    )


def test_each_set_of_gpus_has_readings_of_its_own() -> None:
    both = {"tensor_parallel_size": 2}
    sites = found(FakeInstruments(*GPUS), {}, {"batch_size": 4}, both, {"seed": 2}).found
    assert [(site.gpus, site.environment["CUDA_VISIBLE_DEVICES"]) for site in sites] == [
        (1, "GPU-0aaa"),
        (2, "GPU-0aaa,GPU-1aaa"),
        (1, "GPU-2aaa"),
    ]
    assert [site.config.tensor_parallel_size for site in sites] == [1, 2, 1]


def test_loops_take_no_longer_than_the_experiments() -> None:
    short = {"measurement": {"windows": 2, "window_s": 0.1, "warmup_max_s": 0.3}}
    (site,) = found(FakeInstruments(*GPUS), {}, short).found
    measurement = site.config.measurement
    assert (measurement.windows, measurement.window_s, measurement.warmup_max_s) == (2, 0.1, 0.3)
    (site,) = found(FakeInstruments(*GPUS), {"measurement": {"windows": 90}}).found
    assert site.config.measurement.windows < 10


@pytest.mark.parametrize(
    ("instruments", "config", "why"),
    [
        (FakeInstruments(Device("cpu", "CPU", ESTIMATED), measured=False), {}, "estimated from"),
        (FakeInstruments(*GPUS, name="replay:x"), {}, "a replay"),
        (FakeInstruments(*GPUS), {"tensor_parallel_size": 4}, "there are too few."),
        (FakeInstruments(Device("AMD-1", "MI300X", COUNTER)), {}, "NVIDIA's GPUs"),
        (
            FakeInstruments(*GPUS),
            {"backend": "openai", "openai": {"base_url": "http://127.0.0.1:1"}},
            "a server that runs",
        ),
    ],
)
def test_it_is_said_where_no_loops_can_stand_for_an_experiment(
    instruments: FakeInstruments, config: dict[str, Any], why: str
) -> None:
    sites = found(instruments, config)
    assert sites.found == ()
    assert why in sites.why_not


def test_packages_are_measured_under_loops_of_the_cpu_and_estimates_only_if_asked_for() -> None:
    package = FakeInstruments(Device("rapl-0", "EPYC", PACKAGE), name="rapl")
    estimate = FakeInstruments(Device("cpu", "CPU", ESTIMATED), measured=False, name="estimate")
    for sites in (found(package, {}), found(estimate, {}, estimates=True)):
        assert [(one.label, one.gpus) for one in sites.found] == [("cpu", 0)]


class FakeBaselines:
    """Has anchors of the experiments called ``anchored``; those called ``broken`` are unreadable."""

    def has_anchors(self, group: str, _: str) -> bool:
        if group == "broken":
            raise BaselineError("a conflict.")
        return group == "anchored"


@pytest.fixture
def wanted() -> Callable[..., Sites]:
    def wanted(*groups: str, gated: bool = True, **settings: Any) -> Sites:
        points = [Point(name, "", ExperimentConfig(), f"hash of {name}") for name in groups]
        conductor = SimpleNamespace(
            settings=replace(SETTINGS, **settings), instruments=FakeInstruments(*GPUS)
        )
        identities = {point.identity for point in points} if gated else set()
        return wanted_sites(
            cast("Conductor", conductor), points, identities, cast("Any", FakeBaselines())
        )

    return wanted


@pytest.mark.parametrize(
    ("groups", "settings", "sites"),
    [
        (["anchored", "plain"], {}, 1),
        (["plain", "broken"], {}, 0),
        (["anchored"], {"gated": False}, 0),
        (["plain"], {"gated": False, "update_baselines": True}, 1),
        (["plain"], {"gated": False, "anchors": "on"}, 1),
        (["anchored"], {"anchors": "off"}, 0),
        (["anchored"], {"isolation": "none"}, 0),
        (["anchored"], {"isolation": "none", "anchors": "on"}, 1),
        (["anchored"], {"allow_shared": True}, 0),
        (["anchored"], {"run_id": "that of the controller", "anchors": "on"}, 0),
    ],
)
def test_anchors_are_measured_where_something_makes_use_of_them(
    wanted: Any, groups: list[str], settings: dict[str, Any], sites: int
) -> None:
    assert len(wanted(*groups, **settings).found) == sites
