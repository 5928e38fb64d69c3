"""What the experiments share: large ones wait to be asked for, and figures must make sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.energy.measured import Figures, Measured


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "large: takes minutes to hours; runs with -m large, or named by its node id"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the large experiments unless ``-m`` or a node id says what is wanted."""
    if config.getoption("markexpr") or any("::" in argument for argument in config.args):
        return
    large = [item for item in items if item.get_closest_marker("large")]
    if large:
        config.hook.pytest_deselected(items=large)
        items[:] = [item for item in items if not item.get_closest_marker("large")]


@pytest.fixture
def sound() -> Callable[[Measured], None]:
    """A check of what holds on every machine, however fast it is and whatever reads it.

    It finds unit errors, empty windows and lost tokens; it knows no threshold.
    """
    return check


@pytest.fixture
def cheaper() -> Callable[[Figures, Figures], None]:
    """A check that one used less energy than another, as far as both intervals tell.

    What a noisy machine or an estimate leaves open is no failure.
    """
    return check_cheaper


def check_cheaper(less: Figures, more: Figures) -> None:
    if less.energy_j is None or more.energy_j is None:
        return
    least_j = less.energy_j - (less.energy_uncertainty_j or 0.0)
    assert least_j < more.energy_j + (more.energy_uncertainty_j or 0.0)


def check(measured: Measured) -> None:
    assert measured.windows, "nothing was measured"
    assert measured.duration_s is not None
    assert measured.duration_s > 0
    if measured.energy_j is None:
        pytest.skip("no meter could read the energy here")
    assert measured.energy_j > 0
    assert measured.power_w == pytest.approx(measured.energy_j / measured.duration_s, rel=0.1)
    check_tokens(measured)
    check_phases(measured)


def check_tokens(measured: Measured) -> None:
    if measured.output_tokens is None:
        return
    assert measured.energy_j is not None
    assert measured.energy_per_output_token_j == pytest.approx(
        measured.energy_j / measured.output_tokens, rel=0.1
    )


def check_phases(measured: Measured) -> None:
    parts = (measured.prefill.energy_j, measured.decode.energy_j)
    if None not in parts:
        assert sum(part or 0.0 for part in parts) == pytest.approx(measured.energy_j, rel=1e-6)
