"""Fields of experiments as a mapping has them, from a file or a study."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.layers.layer import Given, Origin
from pytest_llem.config.leaves import FIELDS, Leaf, is_section, leaf, leaves_of
from pytest_llem.config.problems import Problem, unknown_field
from pytest_llem.errors import ConfigError
from pytest_llem.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pytest_llem.config.documents.document import Document, Place
    from pytest_llem.config.layers.layer import LayerName

MOST_PROBLEMS = 20
WORKLOAD_FILE = "workload.path"
"""A field that names a file, which is found from the file that says so."""
_KEY = re.compile(r"[^.\[\]]+")


def given_in(document: Document, layer: LayerName, also: Collection[str] = ()) -> list[Given]:
    """What *document* says of fields.

    Args:
        document: fields by name, sections as mappings.
        layer: to which it belongs.
        also: keys that are something else, and are passed over.

    Raises:
        ConfigError: something in it cannot be; all such places are named.
    """
    given: list[Given] = []
    problems: list[str] = []
    for place, found in _found(document, also):
        if isinstance(found, Problem):
            problems.append(f"{place}: {found}")
        else:
            given.append(Given(found, Origin(layer, place)))
    refuse(problems)
    return given


def refuse(problems: Sequence[str]) -> None:
    """Say what is wrong, if anything is.

    Raises:
        ConfigError: with one line a problem.
    """
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [f"and {more} more"] if more > 0 else []
        raise ConfigError("\n".join([*problems[:MOST_PROBLEMS], *rest]))


def _found(document: Document, also: Collection[str]) -> Iterator[tuple[Place, Leaf | Problem]]:
    for name, raw in document.value.items():
        if name in also:
            continue
        if name not in FIELDS and not is_section(name):
            yield document.place(name), unknown_field(name, raw, {*FIELDS, *also})
            continue
        for found in leaves_of(name, raw):
            keys = [int(key) if key.isdecimal() else key for key in _KEY.findall(found.path)]
            yield document.place(*keys), located(found, Path(document.file).parent)


def located(found: Leaf | Problem, directory: Path) -> Leaf | Problem:
    """*found*, with a file that it names looked for in *directory* where it is relative."""
    if isinstance(found, Problem) or found.path != WORKLOAD_FILE or not found.value:
        return found
    return leaf(WORKLOAD_FILE, os.path.abspath(directory / expanded(found.value)))  # noqa: PTH100 - the link stays one
