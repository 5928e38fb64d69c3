"""Comparing two sides by functions, as ``llem ab`` and ``llem aa`` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.self_check import self_check
from pytest_llem.errors import ConfigError
from pytest_llem.runs.ab.comparing import Asked, compare_sides
from pytest_llem.runs.ab.side import UNCHANGED, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pytest_llem.baselines.self_check import SelfCheck
    from pytest_llem.runs.ab.comparing import Compared
    from pytest_llem.runs.ab.rounds import Teller

SELF_ROUNDS = 8
"""Processes of each experiment on each side, where a side is measured against itself."""


class Silent:
    """Tells nobody how far it is."""

    def say(self, text: str) -> None:
        """A line of its own."""

    def ended(self, name: str) -> None:
        """The process called *name* has ended well."""

    def watch(self, name: str) -> Callable[[Mapping[str, Any]], None] | None:  # noqa: ARG002
        """Nobody looks."""
        return None


def run_ab(asked: Asked, teller: Teller | None = None) -> Compared:
    """Measure two sides in turns on the same devices, and say what b changes against a.

    Experiments are those of the tests in the current directory, and results are kept in
    ``.llem/ab/``. Ctrl-C ends it early: what was measured by then is judged.

    Args:
        asked: both sides, which tests, gates and how many rounds.
        teller: hears how far it is.

    Raises:
        ConfigError: both sides are the same, or what is asked for cannot be had.
        IsolationError: an interpreter cannot run it, or the verdicts could not be made.
    """
    if asked.a.described == asked.b.described == UNCHANGED:
        raise ConfigError(
            "both sides are the same. Set something on one: llem ab bench/ --b "
            "'vllm.max_num_seqs=64'. To measure a side against itself: llem aa"
        )
    return compare_sides(asked, teller or Silent())


def run_aa(asked: Asked, teller: Teller | None = None) -> tuple[Compared, SelfCheck | None]:
    """Measure the same thing against itself: false alarms, and what this machine can see.

    Args:
        asked: two sides that set the same (:func:`both_sides`).
        teller: hears how far it is.

    Returns:
        The comparison, and what it says of the machine; ``None`` if nothing could be compared.

    Raises:
        ConfigError, IsolationError: as for :func:`run_ab`.
    """
    compared = compare_sides(asked, teller or Silent())
    rests = [(one.node_id, each) for one in compared.verdicts for each in one.comparisons]
    return compared, self_check(rests)


def both_sides(*settings: str) -> tuple[Side, Side]:
    """Two sides that set the same: ``python=``, ``ref=``, ``env.NAME=`` or any field.

    Raises:
        ConfigError: one of *settings* is no such thing.
    """
    return Side.asked("a", settings, "--set"), Side.asked("b", settings, "--set")
