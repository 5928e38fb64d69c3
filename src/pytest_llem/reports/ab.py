"""What a comparison of two sides says, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def only_lines(only: Mapping[str, Sequence[str]], *, most: int = 5) -> Iterator[str]:
    """Which experiments were left out, since the other side has none of their names."""
    for side, names in only.items():
        if names:
            more = f" and {len(names) - most} more" if len(names) > most else ""
            yield f"only on side {side}, not compared: {', '.join(names[:most])}{more}"


def headline(a: str, b: str, experiments: int, rounds: int) -> list[str]:
    """What is compared with what."""
    processes = f"{rounds} process{'' if rounds == 1 else 'es'} of each on each side"
    count = f"{experiments} experiment{'' if experiments == 1 else 's'}"
    return [f"a: {a}", f"b: {b}", f"{count}, {processes}, in turns; changes are of b against a"]
