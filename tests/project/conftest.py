"""What the tests of the project files need."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout() -> Path:
    """The root of the repository."""
    return CHECKOUT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Loads a script that is no module of the package, by its path in the repository."""
    monkeypatch.syspath_prepend(CHECKOUT / "scripts")  # as if it were started by its path

    def load(path: str) -> Any:
        spec = importlib.util.spec_from_file_location(Path(path).stem, CHECKOUT / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look for theirs
        spec.loader.exec_module(module)
        return module

    return load
