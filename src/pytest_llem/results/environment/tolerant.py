"""Snapshots from values that may be wrong: what does not fit is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.results.schema import Stored

Snapshot = TypeVar("Snapshot", bound="Stored")


def tolerant(model: type[Snapshot], values: Mapping[str, Any]) -> Snapshot:
    """A *model*, all of whose fields have defaults, from those of *values* that fit it."""
    known = {name: value for name, value in values.items() if name in model.model_fields}
    try:
        return model.model_validate(known)
    except ValidationError as error:
        wrong = {details["loc"][0] for details in error.errors()}
        return model.model_validate(
            {name: value for name, value in known.items() if name not in wrong}
        )
