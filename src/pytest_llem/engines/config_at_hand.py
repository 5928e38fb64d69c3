"""A model's ``config.json`` where it is on this machine already; nothing is ever fetched."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.model_source import BUILTIN_PREFIX, BUILTINS, looks_local
from pytest_llem.errors import ModelNotFoundError
from pytest_llem.paths import expanded, is_there

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_REVISION = "main"


def config_at_hand(
    model: str, revision: str | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """The configuration of *model*: built in, of a local folder, or of the hub's cache.

    Raises:
        ModelNotFoundError: it is not on this machine, or cannot be read.
    """
    if model.startswith(BUILTIN_PREFIX):
        if model not in BUILTINS:
            raise ModelNotFoundError(f"there is no built-in model {model!r}")
        found: dict[str, Any] = import_module(BUILTINS[model]).CONFIG
        return found
    return _read(_place(model, revision, environ), model)


def _place(model: str, revision: str | None, environ: Mapping[str, str]) -> Path:
    folder = expanded(model)
    if is_there(folder) or looks_local(model):
        return folder / "config.json"
    repository = hub_cache(environ) / f"models--{model.replace('/', '--')}"
    asked = revision or DEFAULT_REVISION
    reference = repository / "refs" / asked
    commit = _commit(reference) or asked
    return repository / "snapshots" / commit / "config.json"


def _commit(reference: Path) -> str | None:
    """What the cache says that a branch is; ``None`` if it does not."""
    try:
        return reference.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None


def hub_cache(environ: Mapping[str, str]) -> Path:
    """Where the hub's client keeps what it downloaded.

    ``HF_HUB_CACHE``, else ``hub`` in ``HF_HOME``, else in the user's cache, as
    https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables says.
    """
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if own := environ.get(variable):
            return expanded(own)
    if home := environ.get("HF_HOME"):
        return expanded(home) / "hub"
    shared = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or "~") / ".cache")
    return expanded(shared) / "huggingface" / "hub"


def _read(path: Path, model: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, UnicodeError):
        raise ModelNotFoundError(
            f"the config.json of {model!r} is not on this machine, and a dry run downloads nothing"
        ) from None
    except (ValueError, RecursionError):
        raise ModelNotFoundError(f"{path} is not readable as JSON") from None
    if not isinstance(content, dict):
        raise ModelNotFoundError(f"{path} holds no JSON object")
    return content
