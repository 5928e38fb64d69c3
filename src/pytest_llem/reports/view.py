"""Who looks: the terminal that a summary is written for."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_llem.reports import text
from pytest_llem.reports.arrangement import USUAL, Arrangement
from pytest_llem.reports.text import Glyphs, glyphs

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class View:
    """A terminal, and how much its reader wants to know."""

    width: int
    """Columns; no line takes more."""
    colour: bool
    """Whether to write ANSI colours."""
    unicode: bool
    """Whether it shows more than ASCII."""
    verbosity: int
    """pytest's: -1 for ``-q``, 2 for ``-vv``."""
    strict: bool
    """Whether verdicts that tell nothing fail the run."""
    against: str = BASELINE
    """What changes are changes from."""
    arrangement: Arrangement = USUAL
    """Columns, order and headings."""
    processes: int = 1
    """How many processes an experiment was to have, unless its row says otherwise."""

    signs: Glyphs = field(init=False)
    """The signs it shows."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "signs", glyphs(unicode=self.unicode))

    def clean(self, words: str) -> str:
        """*words* in one line that it can show."""
        return text.clean(words, unicode=self.unicode)
