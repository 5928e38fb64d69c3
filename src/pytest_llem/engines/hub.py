"""Models on the Hugging Face hub: which commit, and whether the hub can be asked at all."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from pytest_llem.errors import EngineError, MissingExtraError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_TIMEOUT_S = 3.0
PROXY_VARIABLES = (
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
)

# The hub client's errors, a subclass before its base.
MESSAGES = {
    "GatedRepoError": (
        "no access to {what}: accept its terms at https://huggingface.co/{model} and log in with "
        "`hf auth login` (or set HF_TOKEN)."
    ),
    "RevisionNotFoundError": (
        "there is no {what} on the hub. Its revisions are listed at "
        "https://huggingface.co/{model}/tree/main"
    ),
    "RepositoryNotFoundError": (
        "there is no model {what} on the hub, and no folder of that name here. Check the spelling; "
        "a private model needs `hf auth login` (or HF_TOKEN)."
    ),
    "LocalEntryNotFoundError": (
        "there is no folder {model!r} here, {what} was not downloaded before, and the hub cannot be "
        "asked for it ({cause}). Connect, or run `hf download {model}` where there is a network and "
        "copy the folder; 'builtin/tiny' needs no network."
    ),
    "EntryNotFoundError": "{what} on the hub has no config.json, so it is no transformers model.",
    "HFValidationError": (
        "{model!r} is neither a folder here nor a possible hub id (such as 'org/name'): {error}"
    ),
}


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the hub whose configuration is at hand."""

    commit: str | None
    """Commit hash; ``None`` if the hub did not say."""
    offline: bool
    """Whether the hub was not asked, and only what was downloaded before is used."""


def hub_answers() -> bool:
    """Whether the hub's host accepts a connection, or might through a proxy.

    The hub's own client retries for about 23 s before it gives up; a machine
    without a network should learn that at once.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(variable) for variable in PROXY_VARIABLES):
        return True
    url = urlsplit(constants.ENDPOINT)
    port = url.port or (80 if url.scheme == "http" else 443)
    try:
        socket.create_connection((url.hostname or "", port), CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def find_on_hub(
    model: str, revision: str | None, answers: Callable[[], bool] = hub_answers
) -> HubModel:
    """The hub model with this id, by the commit that *revision* means now.

    Raises:
        ModelNotFoundError: no such model or revision, no access to it, or no
            connection and nothing downloaded before.
        EngineError: the hub answered with something else.
        MissingExtraError: ``huggingface_hub`` is not installed.
    """
    try:
        from huggingface_hub import hf_hub_download
    except ModuleNotFoundError:
        raise MissingExtraError("huggingface_hub", "transformers") from None
    offline = not answers()
    try:
        config = hf_hub_download(model, "config.json", revision=revision, local_files_only=offline)
    except (OSError, ValueError) as error:
        _explain(model, revision, error)
    return HubModel(_commit(Path(config)), offline)


def _commit(config: Path) -> str | None:
    """The hub's cache keeps a file as ``…/snapshots/<commit>/<file>``."""
    return config.parent.name if config.parent.parent.name == "snapshots" else None


def _explain(model: str, revision: str | None, error: Exception) -> NoReturn:
    from huggingface_hub import errors

    what = f"{model!r}" if revision is None else f"{model!r} at revision {revision!r}"
    for name, message in MESSAGES.items():
        if isinstance(error, getattr(errors, name)):
            cause = error.__cause__ or "no connection, or HF_HUB_OFFLINE is set"
            text = message.format(what=what, model=model, error=error, cause=cause)
            raise ModelNotFoundError(text) from error
    raise EngineError(f"could not fetch the configuration of {what}: {error}") from error
