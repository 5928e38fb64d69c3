"""Earlier runs of the same experiments, found by the names of their files."""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llem.errors import StoreError
from pytest_llem.plan.outlook import Forecast
from pytest_llem.plan.schedule import Passes, schedule_of
from pytest_llem.results.names import safe_name
from pytest_llem.results.raw import DAMAGE
from pytest_llem.results.root import RESULTS, run_directories

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_llem.plan.memory.fit import Room
    from pytest_llem.plan.point import Point

MOST_RUNS = 200
"""Runs that are looked into, the newest ones."""
MOST_TRIED = 3
"""Results of an experiment that are read until one says something."""
SUFFIX = ".json"
GPU_SCOPES = frozenset({"gpu", "module"})


@dataclass(frozen=True, slots=True)
class Took:
    """What a stored result says of how long it took and what it drew; ``None`` is unknown."""

    run_id: str
    wall_s: float | None
    pass_s: float
    prefill_s: float | None
    power_w: float | None
    idle_w: float | None
    settings: dict[str, Any]
    """How it was measured, as stored."""
    gpus: tuple[str, ...]
    """Names of the GPUs that it ran on; empty on a CPU."""

    @classmethod
    def read(cls, path: Path) -> Took | None:
        """What the result at *path* says; ``None`` if it did not pass, or cannot be read."""
        try:
            stored = json.loads(path.read_bytes())
            headline = stored["measurements"][0]
            if stored["outcome"] != "passed":
                return None
            return cls(
                str(stored["run_id"]),
                _known(stored.get("wall_s")),
                _known(headline["duration_s"]) or _refused(),
                _known((headline.get("prefill") or {}).get("duration_s")),
                _known(headline.get("power_w")),
                _known((headline.get("idle") or {}).get("power_w")),
                dict(stored["config"]["measurement"]),
                _gpus(stored["measurement_methodology"]),
            )
        except (OSError, AttributeError, *DAMAGE):
            return None


class EarlierRuns:
    """Stored results by experiment, the newest first; none is read until it is asked for."""

    def __init__(self, root: Path) -> None:
        """Look below *root* (``.llem``), which need not exist."""
        self._root = root
        self._paths: dict[str, list[Path]] | None = None

    def any(self) -> bool:
        """Whether there is any result at all."""
        return bool(self._found())

    def forecast(
        self, point: Point, room: Room | None, weights_bytes: float | None
    ) -> Forecast | None:
        """What *point* took before on such devices; ``None`` if it never passed there.

        Devices that are not known (``None``) are taken to be the same.
        """
        for path in self._found().get(safe_name(point.experiment_id), ())[:MOST_TRIED]:
            took = Took.read(path)
            if took is not None and (room is None or _on(room, took)):
                return _forecast(point, took, weights_bytes)
        return None

    def _found(self) -> dict[str, list[Path]]:
        if self._paths is None:
            self._paths = defaultdict(list)
            for results in reversed(_results(self._root)):
                for name in _names(results):
                    self._paths[name.partition("@")[0]].append(results / f"{name}{SUFFIX}")
        return self._paths


def _known(value: Any) -> float | None:
    """A figure of a result.

    Raises:
        ValueError, TypeError, OverflowError: it is none.
    """
    if value is None:
        return None
    figure = float(value)
    return figure if 0 <= figure < math.inf else _refused()


def _refused() -> NoReturn:
    raise ValueError("no figure")


def _gpus(methodology: Mapping[str, Any]) -> tuple[str, ...]:
    if methodology["scope"] not in GPU_SCOPES:
        return ()
    return tuple(str(device["name"]) for device in methodology["devices"])


def _on(room: Room, took: Took) -> bool:
    return set(took.gpus) == ({room.name} if room.is_gpu else set())


def _forecast(point: Point, took: Took, weights_bytes: float | None) -> Forecast:
    config = point.config
    assert config is not None  # noqa: S101 - asked for points that can be run
    schedule = schedule_of(config, Passes(took.pass_s, took.prefill_s), weights_bytes)
    same = took.settings == config.measurement.model_dump(mode="json")
    wall_s = took.wall_s if same and took.wall_s is not None else schedule.wall_s
    how = f"run {took.run_id}"
    if not same:
        how += ", measured in another way"
    elif took.wall_s is None:
        how += ", which did not keep how long its process took"
    active_s = min(schedule.active_s, wall_s)
    return Forecast("run", how, wall_s, energy_over(took.power_w, took.idle_w, active_s, wall_s))


def energy_over(
    power_w: float | None, idle_w: float | None, active_s: float, wall_s: float
) -> float | None:
    """Joules of a process that draws *power_w* for a part of its time, and rests for the other.

    Where resting is unknown, as much is taken as under load. ``None`` without any power.
    """
    if power_w is None:
        return None
    rest_w = power_w if idle_w is None else idle_w
    return power_w * active_s + rest_w * (wall_s - active_s)


def _results(root: Path) -> list[Path]:
    try:
        return [run / RESULTS for run in run_directories(root)[-MOST_RUNS:]]
    except StoreError:
        return []


def _names(results: Path) -> list[str]:
    """Names of results, later ones of the same experiment first."""
    try:
        names = os.listdir(results)  # noqa: PTH208 - names, of which there may be many
    except OSError:
        return []
    found = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
    return sorted((name for name in found if not name.startswith(".")), reverse=True)
