"""Sound JSON documents with a few values changed."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from fuzzing.values import scalars, texts, trees

MISSING = object()
"""Instead of a value: the key is taken out."""
Steps = tuple[str | int, ...]
_new = st.one_of(scalars, trees(texts), st.just(MISSING))


def steps_of(value: Any, here: Steps = ()) -> list[Steps]:
    """The ways to all values within *value*, itself first."""
    parts: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    return [here, *(way for key, part in parts for way in steps_of(part, (*here, key)))]


def changes(document: Any) -> st.SearchStrategy[list[tuple[Steps, Any]]]:
    """Up to three places of *document*, and what is put there."""
    return st.lists(st.tuples(st.sampled_from(steps_of(document)), _new), min_size=1, max_size=3)


def changed(document: Any, what: list[tuple[Steps, Any]]) -> bytes:
    """*document* as JSON, with *what* is changed in it."""
    found = {"": copy.deepcopy(document)}
    for steps, new in what:
        _put(found, ("", *steps), new)
    return json.dumps(found.get("")).encode()


def _put(whole: Any, steps: Steps, new: Any) -> None:
    *outer, last = steps
    for step in outer:
        try:
            whole = whole[step]
        except (LookupError, TypeError):  # changed before
            return
    try:
        if new is MISSING:
            del whole[last]
        else:
            whole[last] = new
    except (LookupError, TypeError):
        return
