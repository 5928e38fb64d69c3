"""The layers of a session or a command, read from where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.plan import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest

    from pytest_llem.config.layers.standing import Standing
    from pytest_llem.config.profiles.profile import Profile
    from pytest_llem.plan.point import Point


def add_profile_option(add: Callable[..., object]) -> None:
    add(
        "--llem-profile",
        metavar="NAME|PATH",
        help="system profile, in place of that of the devices found (h100-sxm, cpu, my.toml)",
    )


def standing_of(config: pytest.Config) -> Standing:
    """What holds for every experiment of this session.

    Raises:
        ConfigError: a file, a variable or the profile cannot be as it says.
    """
    return standing.standing_of(config, lambda: read_standing_of(config))


def read_standing_of(config: pytest.Config) -> Standing:
    """The same, read anew."""
    return standing_here(config.rootpath, config.getoption("llem_profile"))


def standing_here(project: Path | None = None, profile: str | None = None) -> Standing:
    """What holds in *project* (default: the current directory) on this machine.

    Raises:
        ConfigError: as above.
    """
    from pytest_llem.config.layers.standing import read_standing
    from pytest_llem.devices.names import accelerator_names

    return read_standing(project or Path.cwd(), os.environ, accelerator_names, profile)


def completed(gates: Iterable[str], profile: Profile) -> tuple[str, ...]:
    """*gates* as options give them, with the profile's tolerance where one names none."""
    return tuple(_completed(gate, profile) for gate in gates)


def _completed(gate: str, profile: Profile) -> str:
    metric, at, pattern = gate.partition("@")
    if ":" in metric or profile.tolerance is None or not metric.strip():
        return gate
    return f"{metric.strip()}:{profile.tolerance}{at}{pattern}"


def short_windows(points: Sequence[Point], profile: Profile) -> list[str]:
    """A caution where windows have less than ten refreshes of the devices' counter."""
    least_s = profile.least_window_s
    if least_s is None:
        return []
    configs = [point.config for point in points if point.config is not None]
    short = [one for one in configs if one.measurement.window_s < least_s and one.device != "cpu"]
    if not short:
        return []
    shortest_s = min(one.measurement.window_s for one in short)
    return [
        (
            f"windows of {shortest_s:g} s have less than ten refreshes of the counter "
            f"(profile {profile.name}); {least_s:g} s would have them"
        )
    ]
