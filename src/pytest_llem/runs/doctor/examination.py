"""The examination as a whole."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem._version import __version__
from pytest_llem.errors import LlemError
from pytest_llem.results.diagnosis import LEVELS, Diagnosis, Finding
from pytest_llem.runs.doctor.engines import engine_states
from pytest_llem.runs.doctor.gpus import gpu_findings
from pytest_llem.runs.doctor.meters import meter_states
from pytest_llem.runs.doctor.place import place_findings
from pytest_llem.runs.doctor.processors import processor_findings
from pytest_llem.runs.doctor.seen import look
from pytest_llem.runs.doctor.support import supported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_llem.results.diagnosis import EngineState
    from pytest_llem.runs.doctor.seen import Seen

SYSTEM = Path("/")


def examine(
    project: Path,
    environ: Mapping[str, str] | None = None,
    *,
    system: Path = SYSTEM,
    pause: Callable[[float], None] = time.sleep,
) -> Diagnosis:
    """Look this machine over, as an experiment of *project* would find it.

    It reads, and changes nothing; no engine is imported, and no privilege is needed.

    Args:
        project: directory of the project under test.
        environ: environment variables; ``None`` is this process's own.
        system: where ``proc``, ``sys`` and ``dev`` are.
        pause: waits so many seconds, while the processors are watched.
    """
    seen = look(project, os.environ if environ is None else environ, system, pause)
    findings = [*_findings(seen)]
    engines: tuple[EngineState, ...] = ()
    try:
        engines = engine_states(project, seen.environ)
    except LlemError as error:
        findings.append(_misconfigured(error))
    meters = meter_states(seen.nvidia)
    return Diagnosis(
        tool_version=__version__,
        executable=sys.executable,
        environment=seen.environment,
        findings=tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level))),
        meters=meters,
        engines=engines,
        support=supported(seen.environment, meters),
    )


def _findings(seen: Seen) -> list[Finding]:
    return [*gpu_findings(seen), *processor_findings(seen), *place_findings(seen)]


def _misconfigured(error: LlemError) -> Finding:
    return Finding(
        check="engines.configuration",
        level="impossible",
        what="what the project configures of engines cannot be",
        value=str(error),
        why="No run of this project begins.",
    )
