"""Where and how a result came about, as far as it matters to a comparison."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from pytest_llem.baselines.metrics import BESIDE
from pytest_llem.baselines.samples import measurements_by_name, unusable
from pytest_llem.devices.meter import Method, Scope
from pytest_llem.energy.figures import WORK, counted
from pytest_llem.energy.student import ratio_and_half_width_95
from pytest_llem.errors import BaselineError
from pytest_llem.results.schema import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.energy.measured import Measured, WindowSample
    from pytest_llem.results.schema import ExperimentResult, Methodology, Reading


class Work(Stored):
    """What one pass of a measurement does; less of it would fake an improvement."""

    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    finish_reasons: dict[str, float] | None = None
    """Requests per pass that ended for each reason; ``None`` where it was not recorded."""
    half_widths: dict[str, float] = Field(default_factory=dict)
    """Half-widths of 95 % intervals of the numbers above, of those in which windows differ: passes
    of traffic whose lengths are drawn are not the same work each."""


class ReadBeside(Stored):
    """How a meter beside the first read."""

    method: Method
    estimator: str
    declared_w_per_core: float | None
    devices: tuple[str, ...]
    """Model names of what was read, sorted."""
    device_uuids: tuple[str, ...]
    power_limits_w: tuple[float | None, ...]
    """In the order of ``devices``."""


class Fingerprint(Stored):
    """Where and how a result came about."""

    backend: str
    meter: str
    scope: Scope
    method: Method
    estimator: str
    """Name of the window estimator, without its version."""
    declared_w_per_core: float | None
    shared: bool = False
    """Whether others could use the devices meanwhile."""
    devices: tuple[str, ...]
    """Model names of what was read, sorted."""
    device_uuids: tuple[str, ...]
    power_limits_w: tuple[float | None, ...]
    """In the order of ``devices``."""
    device_type: str | None
    """Where the engine ran, such as ``cpu`` or ``cuda``."""
    cpu_model: str | None
    threads: int | None
    driver_version: str | None
    python: str | None
    os: str | None
    kernel: str | None
    container: bool | None
    packages: dict[str, str]
    """Versions by distribution name."""
    engine: dict[str, str | int | float | bool | None]
    """What the engine said took effect, nested names joined by dots."""
    commit: str | None
    """Git commit, ``+dirty`` behind it if there were uncommitted changes."""
    work: dict[str, Work]
    """By the name of the measurement."""
    totals: dict[str, str] = Field(default_factory=dict)
    """What ``total`` adds up, by the name of the measurement, such as ``gpu by nvml + cpu by rapl``;
    none where nothing is added, and in baselines that were stored without it."""
    beside: dict[str, ReadBeside] = Field(default_factory=dict)
    """What meters beside the first read, by scope and meter (``package.rapl``); none in baselines
    that were stored without it."""
    workload: str | None = None
    """Hash of all prompts and output lengths of a pass; ``None`` if no model was measured, and in
    baselines that were stored without it."""

    @property
    def estimated(self) -> bool:
        """Whether the energy is an estimate rather than a measurement."""
        return self.method == "estimated"

    def same_cards(self, other: Fingerprint) -> bool:
        """Whether both were read from the very same devices.

        Estimates read no device of their own: the CPU model speaks for them.
        """
        return self.estimated or set(self.device_uuids) == set(other.device_uuids)

    def narrowed(self, measurement: str) -> Fingerprint:
        """This fingerprint with the work of one measurement only."""
        work = {name: work for name, work in self.work.items() if name == measurement}
        return self.model_copy(update={"work": work})

    def read_as(self, metric: str) -> Fingerprint:
        """This fingerprint as that of the meter that *metric* is of, where that is not the first."""
        which = metric.removeprefix(BESIDE).rpartition(".")[0]
        if not metric.startswith(BESIDE) or which not in self.beside:
            return self
        scope, _, meter = which.partition(".")
        own = dict(self.beside[which])
        return self.model_copy(update={**own, "scope": scope, "meter": meter})


def fingerprint(result: ExperimentResult, environment: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint of *result*, made in *environment* (the stored snapshot's JSON).

    Raises:
        BaselineError: the result did not pass, or measured nothing valid.
    """
    how = result.measurement_methodology
    if (reason := unusable(result)) is not None or how is None:
        raise BaselineError(f"{result.experiment_id} cannot be compared: {reason}.")
    try:
        return _fingerprint(result, how, {**environment, **_own_environment(result)})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BaselineError(
            f"{result.experiment_id} cannot be compared: its {wrong['loc'][0]}, as its engine or "
            f"its environment has it, cannot be: {wrong['msg']}."
        ) from None


def _fingerprint(
    result: ExperimentResult, how: Methodology, environment: Mapping[str, Any]
) -> Fingerprint:
    engine = result.engine or {}
    versions = engine.get("versions")
    return Fingerprint(
        **_read(how),
        backend=result.config.backend,
        meter=how.meter,
        scope=how.scope,
        shared=how.shared,
        device_type=engine.get("device_type"),
        cpu_model=environment.get("cpu_model"),
        threads=engine.get("threads", environment.get("threads")),
        driver_version=environment.get("driver_version"),
        python=environment.get("python"),
        os=environment.get("os"),
        kernel=environment.get("kernel"),
        container=environment.get("container"),
        packages=_versions(
            environment.get("packages") or {}, versions if isinstance(versions, dict) else {}
        ),
        engine=dict(_took_effect(engine)),
        commit=_commit(environment.get("git")),
        work={name: _work(measured) for name, measured in measurements_by_name(result).items()},
        totals=dict(_totals(result)),
        beside={f"{one.scope}.{one.meter}": ReadBeside(**_read(one)) for one in how.beside},
        workload=None if result.workload is None else result.workload.hash,
    )


def _read(how: Reading) -> dict[str, Any]:
    """What two readings of the same meter and scope have to have in common."""
    devices = sorted(how.devices, key=lambda device: (device.name, device.uuid))
    return {
        "method": how.method,
        "estimator": re.sub(r"[\s/@_-]*v?\d+(\.\d+)*$", "", how.estimator),
        "declared_w_per_core": how.declared_w_per_core,
        "devices": tuple(device.name for device in devices),
        "device_uuids": tuple(device.uuid for device in devices),
        "power_limits_w": tuple(device.power_limit_w for device in devices),
    }


def _own_environment(result: ExperimentResult) -> dict[str, Any]:
    """What of the run's environment was otherwise for a result that ran elsewhere."""
    elsewhere = result.elsewhere
    if elsewhere is None:
        return {}
    own = {"python": elsewhere.python, "packages": elsewhere.packages}
    return own if elsewhere.image is None else {**own, "os": elsewhere.os, "container": True}


def _totals(result: ExperimentResult) -> Iterator[tuple[str, str]]:
    for name, measured in measurements_by_name(result).items():
        if measured.total is not None:
            parts = zip(measured.total.scopes, measured.total.meters, strict=True)
            yield name, " + ".join(f"{scope} by {meter}" for scope, meter in parts)


def _work(measured: Measured) -> Work:
    return Work(
        requests=measured.requests,
        input_tokens=measured.input_tokens,
        output_tokens=measured.output_tokens,
        finish_reasons=_finish_reasons(measured),
        half_widths=dict(_half_widths(counted(measured.samples()))),
    )


def _half_widths(windows: Sequence[WindowSample]) -> Iterator[tuple[str, float]]:
    passes = [window.passes for window in windows]
    for name in WORK:
        totals: list[int | None] = [getattr(window, name) for window in windows]
        known = [float(total) for total in totals if total is not None]
        if known and len(known) == len(totals):
            _, half_width = ratio_and_half_width_95(known, passes)
            if half_width:
                yield name, half_width


def _finish_reasons(measured: Measured) -> dict[str, float] | None:
    totals: dict[str, float] = {}
    windows = measured.samples()
    passes = sum(window.passes for window in windows)
    for window in windows:
        if window.finish_reasons is None:
            return None
        for reason, count in window.finish_reasons.items():
            totals[reason] = totals.get(reason, 0) + count
    return {reason: total / passes for reason, total in totals.items()} if passes else None


def _versions(supervisor: Mapping[str, str], engine: Mapping[str, str | None]) -> dict[str, str]:
    """Versions where the engine ran; pytest's plugins have no part in the measured work."""
    own = {name: version for name, version in supervisor.items() if not _is_plugin(name)}
    own |= {name: version for name, version in engine.items() if version is not None}
    own.pop("python", None)
    return own


def _is_plugin(name: str) -> bool:
    return name.startswith("pytest-") and name != "pytest-llem"


def _took_effect(
    engine: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str | int | float | bool | None]]:
    for name, value in engine.items():
        if prefix + name in _ELSEWHERE:
            continue
        if isinstance(value, dict):
            yield from _took_effect(value, f"{prefix}{name}.")
        elif isinstance(value, str) and PurePath(value).is_absolute():
            continue  # where it lies on this machine is nobody else's business
        elif value is None or isinstance(value, str | int | float | bool):
            yield prefix + name, value


_ELSEWHERE = frozenset(
    {"versions", "engine", "device", "device_type", "device_map", "threads", "memory_bytes", "seed"}
)
"""Parts of an engine's description that the fingerprint has elsewhere, or that say nothing."""


def _commit(git: Mapping[str, Any] | None) -> str | None:
    if not git or not git.get("commit"):
        return None
    return f"{git['commit']}+dirty" if git.get("dirty") else str(git["commit"])
