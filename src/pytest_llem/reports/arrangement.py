"""How the reader wants the summary: which columns, in which order, under which headings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

COLUMNS = ("energy", "beside", "tokens/s", "phases", "floor", "change", "verdict")
"""Columns that the summary has of itself, where there is something to say."""
ORDERS = ("worst", "run", "name", "energy", "tokens/s", "change", "uncertainty", "wall_s")
"""What experiments are sorted by, beside figures."""
HEADINGS = ("test", "file", "none", "verdict")
"""What they are grouped by, beside fields of the configuration."""
COLUMNS_OPTION, SORT_OPTION, GROUP_OPTION = "--llem-columns", "--llem-sort", "--llem-group-by"


@dataclass(frozen=True, slots=True)
class SortKey:
    """One thing to sort by."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The summary as it was asked for."""

    columns: tuple[str, ...] = COLUMNS
    """Own columns and figures, from the left."""
    chosen: bool = False
    """Whether they were asked for: then they stay as long as there is room."""
    sort: tuple[SortKey, ...] = (SortKey("worst"),)
    group_by: tuple[str, ...] = ("test",)


USUAL = Arrangement()


def arrangement_of(
    columns: Sequence[str], sort: Sequence[str], group_by: Sequence[str]
) -> Arrangement:
    """The arrangement that options ask for, each a list of names with commas between.

    Raises:
        ConfigError: a name is unknown; the message has the nearest one.
    """
    chosen = _columns(_names(columns, COLUMNS_OPTION))
    keys = [_key(name) for name in _names(sort, SORT_OPTION)]
    headings = [_heading(name) for name in _names(group_by, GROUP_OPTION)]
    return Arrangement(
        USUAL.columns if chosen is None else tuple(dict.fromkeys(chosen)),
        chosen is not None,
        tuple(keys) or USUAL.sort,
        tuple(dict.fromkeys(headings)) or USUAL.group_by,
    )


def _names(given: Iterable[str], option: str) -> list[str]:
    names = [name.strip() for text in given for name in text.split(",")]
    if not all(names):
        raise ConfigError(f"{option}: a name is empty. Write NAME or NAME,NAME.")
    return names


def _columns(names: Sequence[str]) -> list[str] | None:
    """Those named, or the usual ones with some more (``+NAME``) or fewer (``-NAME``)."""
    if not names:
        return None
    changes = [name for name in names if name[0] in "+-"]
    if changes and len(changes) < len(names):
        raise ConfigError(
            f"{COLUMNS_OPTION}: either name the columns, or change the usual ones by +NAME and -NAME."
        )
    if not changes:
        return [_known(name, COLUMNS, COLUMNS_OPTION) for name in names]
    found = list(COLUMNS)
    for change in changes:
        name = _known(change[1:], COLUMNS, COLUMNS_OPTION)
        found = [one for one in found if one != name]
        if change[0] == "+":
            found.insert(min(map(found.index, {"change", "verdict"} & {*found}), default=0), name)
    return found


def _key(text: str) -> SortKey:
    name = text.removeprefix("-")
    return SortKey(_known(name, ORDERS, SORT_OPTION), descending=text.startswith("-"))


def _known(name: str, own: Collection[str], option: str) -> str:
    from pytest_llem.baselines.metrics import METRICS, metric_named

    if name in own:
        return name
    with suppress(ConfigError):
        return metric_named(name).name
    import difflib

    known = [*own, *METRICS]
    ends = [one for one in METRICS if one.endswith(f".{name}")]
    near = ends[:1] or difflib.get_close_matches(name, known, n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(own)}, and metrics."
    raise ConfigError(f"{option}: {name!r} is neither a metric nor one of its own. {advice}")


def _heading(name: str) -> str:
    if name in HEADINGS:
        return name
    import difflib

    from pytest_llem.config.leaves import FIELDS, unknown_path

    problem = unknown_path(name, None)
    if problem is None:
        return name
    near = difflib.get_close_matches(name, [*HEADINGS, *FIELDS], n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(HEADINGS)}, and fields."
    raise ConfigError(
        f"{GROUP_OPTION}: {name!r} is neither a field of an experiment nor one of its own. {advice}"
    )
