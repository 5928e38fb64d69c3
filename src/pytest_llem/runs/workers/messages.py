"""What workers and their controller say to each other.

Both ways are those of pytest-xdist. A worker sends reports: those of a process of an experiment,
of which the last carries :data:`PROCESS`, and one that stands for no test and carries :data:`SAID`.
The controller sends commands called :data:`COMMAND`.

=============  ==================================================  ==========================
said           fields                                              answer
=============  ==================================================  ==========================
``collected``  ``header`` (lines), ``experiments``, ``gated``      none
               (how many there are)
``idle``       none: the tests that pytest-xdist gave are over     ``run`` or ``end``
=============  ==================================================  ==========================

==========  ============================================================================
commanded   fields
==========  ============================================================================
``run``     ``index`` of the item, ``number`` of the process from 0, how many are ``planned``
``end``     none: nothing more will run
``stop``    ``why``: nothing more is to begin
==========  ============================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from pytest_llem import errors
from pytest_llem.errors import LlemError

if TYPE_CHECKING:
    from pytest_llem.results.schema import Outcome

PROCESS = "llem_process"
"""Attribute of reports of an experiment's process; empty but for the last one's."""
SAID = "llem_said"
"""Attribute of a report that is none."""
COMMAND = "llem"


class Process(TypedDict):
    """A process of an experiment that has ended."""

    run: str
    """The run's directory; empty if it could not begin."""
    name: str
    """What it is stored under there; empty if it is not."""
    outcome: Outcome
    problem: list[str]
    """What kept it from being stored: the kind of the error and its text; empty if nothing did."""
    planned: int
    """How many processes its experiment is to have."""
    gates: list[str]
    """Rules of its experiment."""
    study: list[Any]
    """The study that it is in the shuffled order of, and its seed; empty if none."""
    told_again: bool
    """Whether it had finished before the run was resumed."""


def problem_said(problem: LlemError | None) -> list[str]:
    """*problem* in words."""
    return [] if problem is None else [type(problem).__name__, str(problem)]


def problem_heard(said: list[str]) -> LlemError | None:
    """What :func:`problem_said` was given, or what comes next to it."""
    if not said:
        return None
    kind = getattr(errors, said[0], LlemError)
    try:
        return kind(said[1])
    except TypeError:  # an error of more words
        return LlemError(said[1])
