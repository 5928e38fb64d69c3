"""What another interpreter has, asked before anything is run under it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem._version import __version__
from pytest_llem.components.component import normalized
from pytest_llem.errors import IsolationError
from pytest_llem.isolation.asking import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

ABOUT = Path(__file__).with_name("about.py")
ANSWER_S = 120.0
"""An interpreter on a network drive may take long to look through its packages."""
MOST_SAID = 200
"""Characters that are repeated of what an interpreter says; one that is none may say anything."""
PACKAGES = {"transformers": "transformers", "vllm": "vllm", "tensorrt_llm": "tensorrt_llm"}
"""Modules without which an engine cannot run."""
EXTRAS = frozenset({"transformers", "vllm"})
OUTSIDE = {"tensorrt_llm": "tensorrt-llm"}
"""What to install of engines that no extra of ours brings."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that pytest loads by itself."""

    distribution: str
    name: str
    """As ``-p`` takes it."""
    module: str


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter that can run our children."""

    executable: str
    python: str
    """Implementation and version."""
    os: str | None
    packages: Mapping[str, str]
    """Versions by distribution, all of them."""
    plugins: tuple[Plugin, ...]
    engines: tuple[str, ...]
    """Names of the engines that pytest-llem knows there."""
    absent: tuple[str, ...]
    """Modules that the engine needs and that are not there."""
    whose: Whose

    @property
    def lack(self) -> str | None:
        """Why the engine cannot load a model there, and what helps; ``None`` if it can."""
        engine, place = self.whose.engine, self.whose.place
        if engine not in self.engines:
            return f"{place} knows no engine {engine}. Install there what provides it"
        if self.absent:
            return f"{place} has no {self.absent[0]}. Install it with: {self.whose.remedy()}"
        return None

    def has(self, distribution: str) -> bool:
        """Whether *distribution* with its pytest plugins is installed there."""
        wanted = normalized(distribution)
        return any(normalized(plugin.distribution) == wanted for plugin in self.plugins)


@dataclass(frozen=True, slots=True)
class Whose:
    """For messages: which interpreter, of which engine, and how one installs into it."""

    engine: str
    place: str
    """Such as ``the interpreter /x/bin/python``."""
    install: str
    """A command that a requirement is appended to."""

    def requirement(self) -> str:
        """What to install there."""
        extra = f"[{self.engine}]" if self.engine in EXTRAS else ""
        return f"'pytest-llem{extra}=={__version__}'"

    def advice(self) -> str:
        return f"{self.install} {self.requirement()}"

    def remedy(self) -> str:
        """How the engine itself is installed there."""
        return f"{self.install} {OUTSIDE.get(self.engine, self.requirement())}"


def questions(engine: str) -> list[str]:
    """Arguments by which an interpreter prints what :func:`understood` reads."""
    modules = [PACKAGES[engine]] if engine in PACKAGES else []
    return ["-c", ABOUT.read_text(encoding="utf-8"), *modules]


def ask_interpreter(
    engine: str, python: str, directory: Path, timeout_s: float = ANSWER_S
) -> Interpreter:
    """What the interpreter of *engine* has, if it says so in *timeout_s*.

    Raises:
        IsolationError: it cannot run our children; the message says what to install.
    """
    whose = Whose(engine, f"the interpreter {python}", f"{python} -m pip install")
    if not Path(python).exists():
        raise IsolationError(
            f"{engine}: there is no interpreter {python}. Make an environment with "
            f"`python -m venv {Path(python).parent.parent}`, then: {whose.advice()}"
        )
    environment = {**os.environ, **interpreter_environment(python, os.environ)}
    try:
        done = answer([python, *questions(engine)], timeout_s, directory, environment)
    except OSError as error:
        raise IsolationError(
            f"{engine}: {python} cannot be started: {error.strerror}. Is it executable, and an "
            "interpreter of this machine?"
        ) from error
    except subprocess.TimeoutExpired:
        raise IsolationError(f"{engine}: {python} did not answer in {timeout_s:g} s.") from None
    if done.returncode:
        raise IsolationError(
            f"{engine}: {python} does not run Python: status {done.returncode}. {_end(done.stderr)}"
        )
    return understood(done.stdout, whose)


def understood(text: str, whose: Whose) -> Interpreter:
    """The interpreter that ``about.py`` described as the last line of *text*.

    Raises:
        IsolationError: it is too old, lacks something, or has another version of pytest-llem.
    """
    try:
        found = json.loads(text.splitlines()[-1])
    except (ValueError, IndexError):
        raise IsolationError(
            f"{whose.engine}: {whose.place} does not answer as Python would. {_end(text)}"
        ) from None
    _check(found, whose)
    return Interpreter(
        executable=found["executable"],
        python=found["python"],
        os=found["os"],
        packages=found["packages"],
        plugins=tuple(
            Plugin(distribution, name, value.partition(":")[0])
            for distribution, entries in found["plugins"].items()
            for name, value in entries
        ),
        engines=tuple(found["engines"]),
        absent=tuple(found["absent"]),
        whose=whose,
    )


def _check(found: dict[str, Any], whose: Whose) -> None:
    subject = f"{whose.engine}: {whose.place}"
    if not found["supported"]:
        raise IsolationError(f"{subject} is {found['python']}; pytest-llem needs 3.11 or newer.")
    if found["version"] is None:
        raise IsolationError(f"{subject} has no pytest-llem. Install it with: {whose.advice()}")
    if found["version"] != __version__:
        raise IsolationError(
            f"{subject} has pytest-llem {found['version']}, this pytest has {__version__}. "
            f"Install the same version in both: {whose.advice()}"
        )
    if found["problem"] is not None:
        lacks = f"lacks {found['missing']}" if found.get("missing") else "cannot load pytest-llem"
        raise IsolationError(
            f"{subject} {lacks} ({found['problem']}). Install it with: {whose.advice()}"
        )


def interpreter_environment(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What activating the environment of *python* would set.

    Engines start tools by their name (vLLM's kernels are built by ``ninja``).
    """
    folder = Path(python).parent
    changed = {"PATH": os.pathsep.join([str(folder), environ.get("PATH", os.defpath)])}
    if "PYTHONHOME" in environ:
        changed["PYTHONHOME"] = ""  # empty is as good as unset
    if (folder.parent / "pyvenv.cfg").exists():
        changed["VIRTUAL_ENV"] = str(folder.parent)
    return changed


def _end(text: str) -> str:
    lines = text.strip().splitlines()
    return f"It said: {lines[-1][:MOST_SAID]}" if lines else "It said nothing."
