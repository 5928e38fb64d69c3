"""Real containers, where this machine can run them; elsewhere the tests are skipped, and say why."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instruments.boxes import Boxed, boxed

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 60.0


@pytest.fixture(scope="session")
def machine() -> Boxed:
    """How containers are started here."""
    found = boxed()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture
def box(machine: Boxed) -> Iterator[Boxed]:
    """Containers by whose label this test knows its own; none of them outlives it."""
    label = f"pytest-llem-test={uuid.uuid4().hex}"
    box = replace(machine, arguments=[*machine.arguments, f"--label={label}"])
    yield box
    until = time.monotonic() + PATIENCE_S
    while (left := box.containers()) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []
