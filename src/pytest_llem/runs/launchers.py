"""Where each engine's experiments run: in pytest's interpreter, or elsewhere."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.config.homes import read_homes, variable
from pytest_llem.engines import ENGINES
from pytest_llem.errors import ConfigError
from pytest_llem.isolation.choice import choose_launcher
from pytest_llem.isolation.container.arguments import Box
from pytest_llem.isolation.container.launcher import ContainerLauncher
from pytest_llem.isolation.container.runtime import find_runtime
from pytest_llem.isolation.interpreter import (
    PACKAGES,
    Interpreter,
    ask_interpreter,
    interpreter_environment,
)
from pytest_llem.isolation.spawn import SpawnLauncher
from pytest_llem.pyproject import FILE
from pytest_llem.results.environment import recorded, recorded_libraries
from pytest_llem.results.schema import Elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_llem.config.homes import Containers, Home
    from pytest_llem.isolation.container.runtime import Image, Runtime
    from pytest_llem.isolation.launcher import Launcher
    from pytest_llem.runs.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Place:
    """Where the experiments of one engine run."""

    launcher: Launcher
    interpreter: Interpreter | None = None
    """The one there; ``None`` for pytest's own."""
    elsewhere: Elsewhere | None = None
    """What results say of it; ``None`` for pytest's own."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that experiments there need."""

    @property
    def contained(self) -> bool:
        """Whether it is a container, which sees of this machine what it is shown."""
        return self.elsewhere is not None and self.elsewhere.image is not None


class Launchers:
    """Chooses how the experiments of each engine are started, when that is first needed.

    ========================================  =========================================
    ``--llem-isolation``, and the engine has  its experiments run
    ========================================  =========================================
    ``container``                             in a container of its image
    else ``python=``                          under that interpreter, forked or spawned
    else ``image=``, and is not here          in a container
    else                                      under pytest's own, forked or spawned
    ========================================  =========================================
    """

    def __init__(self, settings: RunSettings, tell: Callable[[str], None]) -> None:
        """*tell* gets what a person should know of how experiments are started."""
        self._settings = settings
        self._tell = tell
        self._own = Place(choose_launcher(settings.isolation, tell))
        self._places: dict[str, Place] = {}
        self._runtime: Runtime | None = None

    def prepare(self, engines: Collection[str], loaded: Collection[str] = ()) -> None:
        """Refuse a run some of whose experiments have nowhere to run, before the first.

        Args:
            engines: engines that the run's experiments name.
            loaded: those of which a model is certain to be loaded.

        Raises:
            ConfigError: an engine is neither here nor has a home of its own.
            IsolationError: the home of an engine cannot run its experiments.
        """
        for engine in engines:
            self.of(engine)
        lacks = [self._lack(engine, several=len(engines) > 1) for engine in sorted(loaded)]
        if any(lacks):
            said = "; ".join(lack for lack in lacks if lack)
            raise ConfigError(f"engines that cannot run, so nothing was started: {said}")

    def of(self, engine: str) -> Place:
        """The place of *engine*.

        Raises:
            ConfigError: what is configured cannot be.
            IsolationError: the home of the engine cannot run its experiments.
        """
        if engine not in self._places:
            self._places[engine] = self._find(engine)
        return self._places[engine]

    def start_here(self, name: str) -> None:
        """Have what goes by *name* started afresh in this interpreter, whatever is configured."""
        self._places[name] = Place(SpawnLauncher())

    def described(self) -> list[str]:
        """For each engine that does not run here: where it does."""
        return [
            f"{engine} runs in {place.interpreter.whose.place} ({place.interpreter.python})"
            for engine, place in sorted(self._places.items())
            if place.interpreter is not None
        ]

    def close(self) -> None:
        """End what was kept running to start children from."""
        for place in (self._own, *self._places.values()):
            place.launcher.close()

    def _find(self, engine: str) -> Place:
        if self._settings.isolation == "none":
            return self._own
        homes = read_homes(self._settings.project, os.environ, [engine])
        home = homes.of(engine)
        if self._settings.isolation == "container":
            return self._container(engine, home, homes.container)
        if home.python is not None:
            return self._interpreter(engine, home.python)
        if home.image is not None and not is_here(engine):
            why = f"{engine} is not installed in pytest's environment"
            return self._container(engine, home, homes.container, why)
        return self._own

    def _container(
        self, engine: str, home: Home, common: Containers, why: str | None = None
    ) -> Place:
        if home.image is None:
            raise ConfigError(
                f"--llem-isolation=container, but {engine} has no image. Set image in "
                f"[tool.llem.engines.{engine}] of {FILE}, or {variable(engine, 'image')}."
            )
        runtime = self._working_runtime(common)
        image = runtime.image(home.image, pull=common.pull)
        box = _box(image, home, common)
        launcher = ContainerLauncher(runtime, box, self._settings.project, why)
        there = launcher.ask(engine)
        elsewhere = _elsewhere(there).model_copy(
            update={
                "image": image.name,
                "image_digest": image.digest,
                "image_id": image.id,
                "runtime": runtime.name,
            }
        )
        return Place(launcher, there, elsewhere)

    def _working_runtime(self, common: Containers) -> Runtime:
        if self._runtime is None:
            wanted = self._settings.container_runtime or common.runtime
            self._runtime = find_runtime(wanted, common.runtime_arguments)
            self._runtime.remove_orphans()
        return self._runtime

    def _interpreter(self, engine: str, python: str) -> Place:
        there = ask_interpreter(engine, python, self._settings.project)
        launcher = choose_launcher(self._settings.isolation, self._tell, python)
        environment = interpreter_environment(python, os.environ)
        return Place(launcher, there, _elsewhere(there), environment)

    def _lack(self, engine: str, *, several: bool) -> str | None:
        """Why *engine* cannot load a model where it would run; ``None`` if it can.

        Of an engine that is alone and at home here, its own process says more.
        """
        there = self.of(engine).interpreter
        if there is not None:
            return there.lack
        return _what_helps(engine) if several and not is_here(engine) else None


def is_here(engine: str) -> bool:
    """Whether *engine* can run in this interpreter, as far as can be told without importing it."""
    package = PACKAGES.get(engine)
    return engine in ENGINES.names() and (package is None or is_installed(package))


def is_installed(module: str) -> bool:
    """Whether *module* can be imported here; nothing is."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _what_helps(engine: str) -> str:
    return (
        f"{engine} is not installed in this environment and has none of its own. Set python or "
        f"image in [tool.llem.engines.{engine}] of {FILE}, or {variable(engine, 'python')} or "
        f"{variable(engine, 'image')}"
    )


def _box(image: Image, home: Home, common: Containers) -> Box:
    return Box(
        image=image,
        python=home.image_python,
        network=common.network if home.network is None else home.network,
        shm_size=home.shm_size or common.shm_size,
        mounts=(*common.mounts, *home.mounts),
        environment=(*common.environment, *home.environment),
        arguments=(*common.arguments, *home.arguments),
    )


def _elsewhere(there: Interpreter) -> Elsewhere:
    plugins = {plugin.distribution for plugin in there.plugins}
    return Elsewhere(
        executable=there.executable,
        python=there.python,
        os=there.os,
        packages=recorded(there.packages, plugins),
        libraries=recorded_libraries(there.packages),
    )
