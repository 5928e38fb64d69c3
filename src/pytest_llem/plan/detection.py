"""Which tests are experiments: those that use a fixture of this plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem import _compat

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

_PACKAGE = __name__.partition(".")[0]


def is_experiment(metafunc: pytest.Metafunc) -> bool:
    """Whether the test function uses ``energy`` or ``model`` as this plugin provides them.

    A project's own fixture of either name does not count unless it requests
    the plugin's. A test that parametrizes ``model`` directly uses no fixture of
    that name, unless an ``llem`` marker says that it is an experiment.
    """
    names = metafunc.fixturenames
    if "energy" in names and provides(_compat.fixtures_of(metafunc, "energy"), "energy"):
        return True
    if "model" not in names:
        return False
    used = _compat.fixtures_of(metafunc, "model")
    if used:
        return provides(used, "model")
    return metafunc.definition.get_closest_marker("llem") is not None and offers_model(metafunc)


def offers_model(metafunc: pytest.Metafunc) -> bool:
    """Whether ``model`` would be this plugin's fixture if the function did not parametrize it."""
    return provides(_compat.visible_fixtures(metafunc, "model"), "model")


def provides(fixtures: Sequence[_compat.FixtureDef], name: str) -> bool:
    """Whether the fixture in force is this plugin's, or requests the one it overrides."""
    for fixture in reversed(fixtures):
        if fixture.func.__module__.partition(".")[0] == _PACKAGE:
            return True
        if name not in fixture.argnames:
            return False
    return False
