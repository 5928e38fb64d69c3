"""The child that runs the loops: each is measured like any function of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.measure.instrument import Energy
from pytest_llem.measure.link import SupervisorLink

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_llem.isolation.channel import Channel
    from pytest_llem.measure.anchors.loop import Loop


def run(channel: Channel, job: dict[str, Any]) -> None:
    """Measure both loops, on as many GPUs as the job says, or on the CPU for none.

    Raises:
        EngineError: they cannot be run here.
    """
    link = SupervisorLink(channel)
    energy = Energy(link, job["config"])
    link.phase("preparing")
    with _loops(job["gpus"], job["driver"]) as loops:
        for loop in loops:
            energy.measure(loop.turn, name=loop.name)


def _loops(gpus: int, driver: str | None) -> AbstractContextManager[tuple[Loop, Loop]]:
    if gpus:
        from pytest_llem.measure.anchors.cuda import cuda_loops

        return cuda_loops(gpus, driver)
    from pytest_llem.measure.anchors.cpu import cpu_loops

    return cpu_loops()
