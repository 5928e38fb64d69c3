"""What the session asks of every test function that is an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.config.layers.layer import Layers
    from pytest_llem.config.problems import Problem
    from pytest_llem.plan.overrides import Overrides


@dataclass(frozen=True, slots=True)
class Asked:
    """Options of the session, as the planning of a function needs them."""

    standing: Layers
    """What holds below all that tests say."""
    overrides: Overrides
    check_backend: Callable[[str], Problem | None]
    """Why an engine cannot be meant, or ``None`` if it is known."""
    list_problems: bool
    """Whether impossible values of parameters become invalid points rather than an error."""
    only: str | None
    """Node id of the single item to create, or ``None`` to create all."""
