"""A hub model that was downloaded, as the folder that it is in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_llem.errors import ModelNotFoundError

if TYPE_CHECKING:
    from pytest_llem.engines.model_source import ResolvedModel


def at_hand(source: ResolvedModel) -> ResolvedModel:
    """A hub model that must not be asked for again, as the folder it was downloaded to.

    Raises:
        ModelNotFoundError: only a part of it was downloaded.
    """
    if source.kind != "hub" or not source.offline:
        return source
    from huggingface_hub import errors, snapshot_download

    try:
        folder = snapshot_download(
            source.path_or_id, revision=source.revision, local_files_only=True
        )
    except (errors.LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFoundError(
            f"{source.path_or_id!r} was not downloaded completely, and the hub cannot be asked for "
            f"the rest: {error} Connect, or run `hf download {source.path_or_id}`."
        ) from error
    return dataclasses.replace(source, path_or_id=folder, revision=None)
