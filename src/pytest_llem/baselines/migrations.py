"""Baseline files of before, brought into today's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLDEST = 1


def migrated(document: dict[str, Any], version: int) -> dict[str, Any]:
    """*document*, written as format *version*, in today's format; *document* stays as it is."""
    while version in MIGRATIONS:
        document = MIGRATIONS[version](document)
        version += 1
    return document


def _from_1(document: dict[str, Any]) -> dict[str, Any]:
    """Format 2 has provenance and beginnings of sessions; both may be missing."""
    return {**document, "schema_version": 2}


MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}
"""From each format to the next."""
