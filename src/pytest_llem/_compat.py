"""The only place that touches a private name of pytest or another library."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def teardown_exact(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tear down collectors that *nextitem* does not need, as pytest's runner does."""
    item.session._setupstate.teardown_exact(nextitem)  # noqa: SLF001


def base_temp(config: pytest.Config) -> Path:
    """The run's base directory for temporary files, made on first use."""
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined] # noqa: SLF001
    path: Path = factory.getbasetemp()
    return path


def quiet_terminal(config: pytest.Config, reporter: Any) -> object:
    """What pytest's debugger needs of the terminal reporter: its writer, and no hooks."""
    return SimpleNamespace(_tw=reporter._tw, config=config)  # noqa: SLF001


def run_phases(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Set up, call and tear down *item* here without logging the reports."""
    from _pytest.runner import runtestprotocol

    return runtestprotocol(item, log=False, nextitem=nextitem)
