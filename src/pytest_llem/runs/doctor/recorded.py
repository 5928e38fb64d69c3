"""What about a machine spoils figures, as far as a run has recorded it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.runs.doctor.gpus import gpu_findings
from pytest_llem.runs.doctor.processors import recorded_processor_findings
from pytest_llem.runs.doctor.seen import Seen

if TYPE_CHECKING:
    from pytest_llem.results.diagnosis import Finding
    from pytest_llem.results.environment import Environment


def recorded_findings(environment: Environment) -> tuple[Finding, ...]:
    """What ``llem doctor`` would have said of the machine of *environment*, notes left out.

    Less than it says of a machine that it can look at: who else was busy, heat, and what may be
    read is in no environment.
    """
    seen = Seen(environment=environment, environ={}, project=Path())
    found = (*gpu_findings(seen), *recorded_processor_findings(seen))
    return tuple(finding for finding in found if finding.level != "note")
