"""What a server says of itself: its models, and its version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.engines.openai.answer import AnswerError
from pytest_llem.engines.openai.connection import OK
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from pytest_llem.engines.openai.client import Client

MOST_MODELS = 50
"""More are not kept."""
VERSIONS = (
    ("/version", "version"),
    ("/get_server_info", "version"),
    ("/info", "version"),
    ("/props", "build_info"),
)
"""Paths below the host with the member that tells, as vLLM and TensorRT-LLM, SGLang, TGI, and
llama.cpp have them."""


async def listed_models(client: Client) -> list[dict[str, Any]]:
    """The server's list of models, each with its ``id`` and what else is said in a word.

    vLLM says ``max_model_len``, most servers ``owned_by``. Empty where there is no list.

    Raises:
        EngineError: nothing answers there.
    """
    try:
        status, listed = await client.get(f"{client.base_url}/models")
    except AnswerError as error:
        raise EngineError(
            f"no server answers at {client.base_url} ({error}). Start it, correct openai.base_url, "
            "or let openai.command start it."
        ) from None
    data = listed.get("data") if isinstance(listed, dict) and status == OK else None
    models = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return [_plain(one) for one in models if "id" in one]


async def server_version(client: Client) -> str | None:
    """What the server says of its version; ``None`` if it says nothing."""
    root = client.base_url.removesuffix("/v1")
    for path, member in VERSIONS:
        try:
            status, found = await client.get(root + path)
        except AnswerError:
            return None
        if status == OK and isinstance(found, dict) and isinstance(found.get(member), str):
            return str(found[member])
    return None


def _plain(model: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in model.items() if isinstance(value, str | int | float)}
    return {**kept, "id": str(model["id"])}
