"""System profiles: found by device, by name and by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.rules import parse_rule
from pytest_llem.config.layers.layer import Origin
from pytest_llem.config.layers.standing import read_standing
from pytest_llem.config.profiles.finding import (
    built_ins,
    detected_profile,
    names,
    of_device,
    profile_called,
    read_profile,
)
from pytest_llem.config.profiles.profile import Profile
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTION = Origin("option", by="--llem-profile")
ASKED_FOR = {
    "h100-sxm", "h100-pcie", "h200", "b200", "a100-sxm-40gb", "a100-sxm-80gb", "l4", "l40s",
    "rtx-4090", "mi300x", "grace-hopper", "apple-m", "cpu", "ci",
}  # fmt: skip


def test_there_is_a_profile_for_each_machine() -> None:
    assert set(names()) >= ASKED_FOR


@pytest.mark.parametrize(
    ("devices", "environ", "expected"),
    [
        (["NVIDIA H100 80GB HBM3"], {}, "h100-sxm"),
        (["NVIDIA H100 80GB HBM3"] * 8, {"CI": "true"}, "h100-sxm"),
        (["NVIDIA H100 PCIe"], {}, "h100-pcie"),
        (["NVIDIA A100-SXM4-40GB"], {}, "a100-sxm-40gb"),
        (["NVIDIA A100 80GB PCIe"], {}, "a100-pcie-80gb"),
        (["NVIDIA GH200 480GB"], {}, "grace-hopper"),
        (["NVIDIA GeForce RTX 4090"], {}, "rtx-4090"),
        (["AMD Instinct MI300X OAM"], {}, "mi300x"),
        (["Apple M3 Max"], {}, "apple-m"),
        (["NVIDIA H100 PCIe", "NVIDIA L4"], {}, "default"),
        (["NVIDIA L4", "Tesla T4"], {}, "default"),
        (["Tesla T4"], {}, "default"),
        ([], {}, "cpu"),
        ([], {"CI": "1"}, "ci"),
        ([], {"CI": "false"}, "cpu"),
    ],
)
def test_a_machine_is_known_by_its_devices(
    devices: list[str], environ: Mapping[str, str], expected: str
) -> None:
    assert detected_profile(devices, environ).name == expected


@pytest.mark.parametrize("profile", built_ins(), ids=lambda profile: str(profile.name))
def test_every_figure_has_a_source(profile: Profile) -> None:
    figures = {
        name
        for name in ("refresh_period_s", "power_limit_w", "memory_bytes", "tolerance")
        if getattr(profile, name) is not None
    }
    figures |= {f"measurement.{name}" for name in profile.measurement}
    known = profile.floor.model_dump()
    figures |= {f"floor.{name}" for name, value in known.items() if value not in (None, {})}
    assert figures == profile.sources.keys()


@pytest.mark.parametrize("profile", built_ins(), ids=lambda profile: str(profile.name))
def test_profiles_say_how_to_measure_and_never_what(profile: Profile) -> None:
    assert profile.title
    assert all(one.leaf.section == "measurement" for one in profile.given())
    assert profile.tolerance is not None
    assert parse_rule(f"energy_j:{profile.tolerance}").relative
    windows = [one.leaf.value for one in profile.given() if one.leaf.name == "window_s"]
    assert windows == ([] if profile.least_window_s is None else [profile.least_window_s])


def test_no_two_profiles_name_a_device() -> None:
    devices = [device for profile in built_ins() for device in profile.devices if "*" not in device]
    assert len(set(devices)) == len(devices)


def test_a_users_profile_is_found_by_name_and_by_device_before_a_built_in_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "mine.toml").write_text('devices = ["NVIDIA L4"]\npower_limit_w = 60\n')
    (folder / "cpu.toml").write_text('tolerance = "3%"\n')
    found = of_device("NVIDIA L4", tmp_path)
    assert found is not None
    assert (found.name, found.power_limit_w) == ("mine", 60)
    assert profile_called("mine", OPTION, Path(), tmp_path).name == "mine"
    assert detected_profile([], {}, tmp_path).tolerance == "3%"
    assert "mine" in names(tmp_path)


@pytest.mark.parametrize(
    ("chosen", "expected", "who"),
    [
        ({}, "cpu", "default"),
        ({"project": "profile: l4"}, "l4", "project"),
        ({"project": "profile: ./own.toml"}, "own", "project"),
        ({"project": "profile: l4", "variable": "h200"}, "h200", "environment"),
        ({"project": "profile: l4", "variable": "h200", "option": "b200"}, "b200", "option"),
    ],
)
def test_a_profile_is_chosen_by_the_strongest_who_names_one(
    tmp_path: Path, chosen: dict[str, str], expected: str, who: str
) -> None:
    (tmp_path / "own.toml").write_text('title = "mine"')
    (tmp_path / "llem.yaml").write_text(chosen.get("project", ""))
    environ = {"LLEM_PROFILE": chosen.get("variable", "")}
    standing = read_standing(tmp_path, environ, list, chosen.get("option"))
    assert (standing.profile.name, standing.profile_origin.layer) == (expected, who)


def test_devices_are_not_asked_for_where_a_profile_is_named(tmp_path: Path) -> None:
    def devices() -> list[str]:
        raise AssertionError

    assert read_standing(tmp_path, {}, devices, "l4").profile.name == "l4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("powr_limit_w = 3", ":1:1: powr_limit_w=3: there is no such field. Did you mean"),
        ("title = 'a'\npower_limit_w = -1", ":2:1: power_limit_w=-1"),
        ("[floor]\nstatic_power_w = 'x'", ":2:1: floor.static_power_w='x'"),
        ("[measurement]\nwindow = 3", ":2:1: measurement.window=3: there is no such option"),
        ("[measurement]\nwindows = 0", ":2:1: measurement.windows=0"),
        ("devices = 3", ":1:1: devices=3"),
        ("name = ", "this is no TOML"),
    ],
)
def test_a_profile_that_cannot_be_meant_is_refused_with_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_profile(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [("h10", "--llem-profile"), ("l44", "Did you mean 'l4'"), ("a/b.toml", "there is no profile")],
)
def test_a_profile_that_there_is_not_is_named_with_who_asked(
    tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(ConfigError, match="there is no profile") as caught:
        profile_called(name, OPTION, tmp_path, None)
    assert said in str(caught.value)


@given(st.lists(st.text(max_size=20), max_size=3))
def test_any_names_of_devices_have_a_profile(devices: list[str]) -> None:
    assert isinstance(detected_profile(devices, {}), Profile)
