"""What studies are planned for: the devices here, or those of a profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem import plan_study, study_points
from pytest_llem.devices.capacity import Machine
from pytest_llem.runs import fitting

if TYPE_CHECKING:
    from pytest_llem.plan.document import Plan


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """Each look at the GPUs of this machine, which has none."""
    looks: list[object] = []

    def machine_here(host_bytes: object) -> Machine:
        looks.append(host_bytes)
        return Machine(host_bytes=8 << 30)

    monkeypatch.setattr(fitting, "_has_nvml", lambda: True)
    monkeypatch.setattr("pytest_llem.devices.capacity.machine_here", machine_here)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sizes.llem.yaml").write_text("sweep: {batch_size: [1, 100000]}\n")
    return looks


def devices(plan: Plan) -> set[str | None]:
    return {one.memory.device if one.memory else None for one in plan.points}


def test_a_study_is_planned_for_the_device_of_a_profile_that_is_named(
    looks: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = study_points("sizes.llem.yaml", profile="l4")
    assert devices(plan_study(points, profile="l4")) == {"NVIDIA L4"}
    assert devices(plan_study(points, profile="l4", device_memory="Mine:8GiB")) == {"Mine"}
    assert devices(plan_study(points)) == {"the host"}
    monkeypatch.setenv("LLEM_PROFILE", "l4")
    assert devices(plan_study(points)) == {"NVIDIA L4"}


def test_devices_are_looked_for_once(looks: list[object]) -> None:
    (profile := Path("mine.toml")).write_text('devices = ["Mine"]\nmemory_bytes = 1\n')
    points = study_points("sizes.llem.yaml", profile=str(profile))
    plan_study(points, profile=str(profile))
    assert len(looks) == 1
