"""A bare experiment, run in a child without pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.measure.instrument import Energy
from pytest_llem.measure.link import SupervisorLink
from pytest_llem.measure.session import open_session

if TYPE_CHECKING:
    from pytest_llem.isolation.channel import Channel


def run(channel: Channel, job: dict[str, Any]) -> None:
    """Load the engine that the job's configuration names and measure its workload."""
    link = SupervisorLink(channel)
    energy = Energy(link, job["config"])
    with open_session(energy.config, link) as session:
        energy.measure(session)
