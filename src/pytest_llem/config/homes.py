"""Where each engine's experiments run: ``[tool.llem]`` of a project, and the environment.

Engines pin contradicting versions of torch, so each may have an interpreter or a
container image of its own.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from pytest_llem.config.model import Model
from pytest_llem.config.problems import problems_of
from pytest_llem.errors import ConfigError
from pytest_llem.paths import expanded
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_llem.pyproject import LlemTable

M = TypeVar("M", bound=Model)
VARIABLE = re.compile(r"LLEM_(?!.*__)([A-Z0-9_]+)_(?:PYTHON|IMAGE)")
"""With two underscores together it is an option of a section."""
SIZE = r"^[1-9][0-9]*[bkmgBKMG]?$"


class Home(Model):
    """Where one engine's experiments run; all ``None`` is pytest's own interpreter."""

    python: str | None = Field(default=None, min_length=1)
    """Interpreter; in a file relative to it."""
    image: str | None = Field(default=None, min_length=1)
    """Container image, with pytest-llem of this version in it."""
    image_python: str = Field(default="python3", min_length=1)
    """Interpreter inside the image."""
    network: bool | None = None
    """Whether the container has a network; ``None`` takes what all containers have."""
    shm_size: str | None = Field(default=None, pattern=SIZE)
    """Shared memory of the container; ``None`` takes what all containers have."""
    mounts: tuple[str, ...] = ()
    """Further mounts, ``SOURCE:TARGET[:OPTIONS]``."""
    environment: tuple[str, ...] = ()
    """Further variables, ``NAME`` (of this environment) or ``NAME=VALUE``."""
    arguments: tuple[str, ...] = ()
    """Further arguments of the runtime's ``run``."""


class Containers(Model):
    """What holds for the containers of every engine."""

    runtime: Literal["auto", "podman", "docker"] = "auto"
    """Which command starts them."""
    runtime_arguments: tuple[str, ...] = ()
    """Arguments of the runtime before its subcommand, such as ``--cgroup-manager=cgroupfs``."""
    pull: bool = False
    """Whether an image that is not on this machine is fetched."""
    network: bool = False
    shm_size: str = Field(default="8g", pattern=SIZE)
    """vLLM's workers hand tensors over in shared memory; runtimes give 64 MB by themselves."""
    mounts: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


class Homes(Model):
    """``engines`` and ``container`` of ``[tool.llem]``; the layers look at what else is there."""

    engines: dict[str, Home] = Field(default_factory=dict)
    container: Containers = Containers()

    def of(self, engine: str) -> Home:
        """Where *engine* runs."""
        return self.engines.get(_key(engine), Home())


def read_homes(project: Path, environ: Mapping[str, str], engines: Iterable[str]) -> Homes:
    """What *project* and *environ* say; variables (``LLEM_VLLM_PYTHON``) win over the file.

    Args:
        project: directory of ``pyproject.toml``, which need not exist.
        environ: environment of this process.
        engines: engines whose variables are looked for, beside those in the file and those
            that only a variable names.

    Raises:
        ConfigError: the file cannot be read, or says what cannot be.
    """
    homes = _parse(read_llem_table(project))
    of_file = {name: _located(home, project) for name, home in homes.engines.items()}
    names = {*of_file, *map(_key, engines), *_named_by(environ)}
    known = {name: _with_variables(of_file.get(name, Home()), name, environ) for name in names}
    return homes.model_copy(update={"engines": known})


def variable(engine: str, what: Literal["python", "image"]) -> str:
    """Name of the environment variable, such as ``LLEM_VLLM_PYTHON``."""
    return f"LLEM_{engine}_{what}".upper().replace("-", "_")


def _key(engine: str) -> str:
    """An engine's name with underscores; tables may have dashes, as distributions have."""
    return engine.replace("-", "_")


def _named_by(environ: Mapping[str, str]) -> set[str]:
    """Engines that variables give a home."""
    found = (VARIABLE.fullmatch(name) for name in environ)
    return {match[1].lower() for match in found if match}


def _parse(said: LlemTable) -> Homes:
    engines = said.table.get("engines", {})
    if not isinstance(engines, dict):
        raise ConfigError(f"[tool.llem] in {said.file}: engines must be a table with one for each.")
    homes = {  # as distributions, so engines: either spelling
        _key(name): _model(Home, table, f"[tool.llem.engines.{name}] in {said.file}")
        for name, table in engines.items()
    }
    container = said.table.get("container", {})
    return _model(Homes, {"engines": homes, "container": container}, f"[tool.llem] in {said.file}")


def _model(model: type[M], values: Any, where: str) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        said = "; ".join(str(problem) for problem in problems_of(error, model))
        raise ConfigError(f"{where}: {said}") from None


def _located(home: Home, project: Path) -> Home:
    if home.python is None:
        return home
    return home.model_copy(update={"python": os.path.normpath(project / _expanded(home.python))})


def _with_variables(home: Home, engine: str, environ: Mapping[str, str]) -> Home:
    given: dict[str, str] = {}
    if python := environ.get(variable(engine, "python")):
        given["python"] = os.path.abspath(_expanded(python))  # noqa: PTH100 - a venv's link stays one
    if image := environ.get(variable(engine, "image")):
        given["image"] = image
    return home.model_copy(update=given)


def _expanded(path: str) -> str:
    return str(expanded(path))
