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


class Terminal:
    """What is known of the terminal that pytest writes to."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._writer = reporter._tw  # noqa: SLF001

    @property
    def fullwidth(self) -> int:
        return self._writer.fullwidth

    @property
    def hasmarkup(self) -> bool:
        return bool(self._writer.hasmarkup)

    @property
    def is_terminal(self) -> bool:
        return self._writer._file.isatty()  # noqa: SLF001

    @property
    def unicode(self) -> bool:
        encoding = getattr(self._writer._file, "encoding", None) or "ascii"  # noqa: SLF001
        try:
            "±–→×".encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def write(self, text: str) -> None:
        self._writer._file.write(text)  # noqa: SLF001
        self._writer.flush()
