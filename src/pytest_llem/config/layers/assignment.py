"""``FIELD=VALUE`` as it is written where everything is a text."""

from __future__ import annotations

import json
from typing import Any

from pytest_llem.config.leaves import Leaf, leaves_of
from pytest_llem.config.problems import Problem


def leaves_of_text(path: str, text: str) -> list[Leaf] | Problem:
    """What setting *path* to *text* sets: JSON where the field takes what that means, else a text.

    ``7e3`` may be a number or a name; the field knows.
    """
    found = _set(path, _parsed(text))
    if isinstance(found, Problem):
        as_text = _set(path, text)
        return found if isinstance(as_text, Problem) else as_text
    return found


def _set(path: str, value: Any) -> list[Leaf] | Problem:
    leaves: list[Leaf] = []
    for found in leaves_of(path, value):
        if isinstance(found, Problem):
            return found
        leaves.append(found)
    return leaves


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
