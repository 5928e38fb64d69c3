"""Where a model comes from: built in, a local folder, or the hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from pytest_llem.errors import ModelNotFoundError
from pytest_llem.paths import expanded, is_there
from pytest_llem.registry import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["builtin", "local", "hub"]
BUILTIN_PREFIX = "builtin/"
BUILTINS = {"builtin/tiny": "pytest_llem.engines.builtin.tiny"}


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that was found."""

    path_or_id: str
    """Folder of a built-in or local model, id of a hub model."""
    revision: str | None
    """Commit of a hub model, ``None`` for a folder."""
    kind: Kind
    sha256: str | None = None
    """Digest over all files of a built-in model; ``None`` where it is not known."""
    offline: bool = True
    """Whether the model must be loaded without asking the hub for anything."""


def resolve_model(
    model: str, revision: str | None = None, environ: Mapping[str, str] = os.environ
) -> ResolvedModel:
    """Find *model*: ``builtin/…``, else an existing folder, else an id on the hub.

    A built-in model is built into the cache directory first if it is not there.
    Of a hub model only the configuration is fetched.

    Raises:
        ModelNotFoundError: there is no such model, revision or folder, or the hub
            cannot be reached and the model was never downloaded.
        EngineError: the cache directory cannot be written.
        MissingExtraError: a hub id, and ``huggingface_hub`` is not installed.
    """
    if model.startswith(BUILTIN_PREFIX):
        return _builtin(model, revision, environ)
    folder = expanded(model)
    if is_there(folder) or looks_local(model):
        return _local(model, folder, revision)
    from pytest_llem.engines.hub import find_on_hub

    found = find_on_hub(model, revision)
    return ResolvedModel(model, found.commit, "hub", offline=found.offline)


def _builtin(model: str, revision: str | None, environ: Mapping[str, str]) -> ResolvedModel:
    if model not in BUILTINS:
        raise ModelNotFoundError(
            f"there is no built-in model {model!r}. {suggest(model, sorted(BUILTINS))}"
        )
    _refuse_revision(model, revision)
    from pytest_llem.engines.builtin.store import materialize

    recipe = import_module(BUILTINS[model])
    folder = materialize(recipe, environ)
    return ResolvedModel(str(folder), None, "builtin", recipe.SHA256)


def _local(model: str, folder: Path, revision: str | None) -> ResolvedModel:
    if not is_there(folder):
        raise ModelNotFoundError(
            f"the folder {model!r} does not exist (looked for {folder.absolute()}). "
            "Give the folder that holds the model's config.json, a hub id such as 'org/name', "
            "or 'builtin/tiny'."
        )
    if not (folder / "config.json").is_file():
        raise ModelNotFoundError(
            f"{model!r} is not the folder of a model: there is no {folder.absolute() / 'config.json'}. "
            "Give the folder that holds the model's config.json, weights and tokenizer."
        )
    _refuse_revision(model, revision)
    return ResolvedModel(str(folder.absolute()), None, "local")


def _refuse_revision(model: str, revision: str | None) -> None:
    if revision is not None:
        raise ModelNotFoundError(
            f"{model!r} has no revision {revision!r}: only models on the hub have revisions. "
            "Leave revision unset."
        )


def looks_local(model: str) -> bool:
    """Whether *model* can only be meant as a path: hub ids are ``name`` or ``org/name``."""
    return model.startswith((".", "/", "~")) or "\\" in model or model.count("/") > 1
