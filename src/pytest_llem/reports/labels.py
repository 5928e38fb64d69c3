"""Labels cut to a width without two of them becoming the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llem.reports.text import cut_middle, display_width

if TYPE_CHECKING:
    from collections.abc import Sequence


def shortened(labels: Sequence[str], width: int, ellipsis: str) -> list[str]:
    """*labels* in at most *width* columns each.

    What all labels share at the start and then at the end goes first, the middle
    last; labels that would then look the same are numbered by their position.
    """
    if all(display_width(label) <= width for label in labels):
        return list(labels)
    different = set(labels)
    start, end = _shared(different)
    start = _kept_from(different, start, width - len(ellipsis))
    cut = [_cut(label, width, ellipsis, start, end) for label in labels]
    return _told_apart(labels, cut, width, ellipsis)


def _kept_from(labels: set[str], start: int, room: int) -> int:
    """Where to begin so that as much of the shared start stays as there is room for.

    Parameters of an id are joined by hyphens: a whole one reads better than a half.
    """
    spare = room - max(display_width(label[start:]) for label in labels)
    if spare <= 0:
        return start
    earliest = max(start - spare, 0)
    return min(labels).find("-", earliest, start) + 1 or earliest


def _shared(labels: set[str]) -> tuple[int, int]:
    """How many characters all labels have in common at the start and at the end."""
    if len(labels) == 1:
        return 0, 0
    start = _common_start(labels)
    return start, _common_start({label[start:][::-1] for label in labels})


def _common_start(labels: set[str]) -> int:
    """Length of the start common to all: that of the first and the last in order."""
    first, last = min(labels), max(labels)
    pairs = enumerate(zip(first, last, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(last)))


def _cut(label: str, width: int, ellipsis: str, start: int, end: int) -> str:
    if display_width(label) <= width:
        return label
    without_start = ellipsis + label[start:] if start > len(ellipsis) else label
    if display_width(without_start) <= width:
        return without_start
    if end > len(ellipsis):
        without_both = without_start[:-end] + ellipsis
        if display_width(without_both) <= width:
            return without_both
    return cut_middle(without_start, width, ellipsis)


def _told_apart(labels: Sequence[str], cut: list[str], width: int, ellipsis: str) -> list[str]:
    """Number those that look the same though they are not."""
    looks = Counter(look for look, _ in set(zip(cut, labels, strict=True)))
    return [
        look if looks[look] == 1 else _numbered(look, position, width, ellipsis)
        for position, look in enumerate(cut, start=1)
    ]


def _numbered(look: str, position: int, width: int, ellipsis: str) -> str:
    number = f"#{position}"
    return cut_middle(look, max(width - len(number), 0), ellipsis) + number
