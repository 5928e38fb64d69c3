"""What a server is asked before it is measured: its models, and how it takes requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.openai.body import EXACT, TOLD, Dialect
from pytest_llem.engines.openai.said import MOST_MODELS, listed_models, server_version
from pytest_llem.errors import ConfigError, EngineError, ModelNotFoundError
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.openai.body import Vocabulary
    from pytest_llem.engines.openai.client import Client
    from pytest_llem.engines.served import ServedRequest

REFUSED = frozenset({"http_400", "http_422", "http_500", "http_501"})
"""How servers refuse fields that they do not know, and prompts that they do not take."""
PROBE_TOKENS = 2
_NO_KEY = ("http_401", "http_403")


@dataclass(frozen=True, slots=True)
class Probed:
    """A server that answered, and how it wants to be asked."""

    dialect: Dialect
    vocabulary: Vocabulary
    version: str | None
    """What the server says of its version; ``None`` if it says nothing."""
    models: Sequence[Mapping[str, Any]]
    """Its list of models."""


async def probe(
    client: Client, config: ExperimentConfig, exact: Vocabulary | None, words: Vocabulary
) -> Probed:
    """Ask for a token or two, with all that helps measuring first, and with less after that.

    Args:
        client: speaks with the server.
        config: the experiment.
        exact: the model's own tokens; ``None`` where they are not known here.
        words: what prompts are made of instead.

    Raises:
        ConfigError: token ids are asked for, and the tokens are not known here.
        ModelNotFoundError: the server does not have the model.
        EngineError: the server does not answer, or refuses every way of asking.
    """
    models, version = await listed_models(client), await server_version(client)
    model = served_name(client, config, models)
    said = ""
    for dialect, vocabulary in _dialects(config, model, exact, words):
        served = await _asked(client, dialect, vocabulary)
        if served.failure is None:
            return Probed(dialect, vocabulary, version, models[:MOST_MODELS])
        said = f"{served.failure}: {served.said}"
        if served.failure in _NO_KEY:
            raise EngineError(
                f"the server at {client.base_url} wants a key ({said}). Put it into the environment "
                f"variable {config.openai.api_key_variable}, or name another in openai.api_key_variable."
            )
        if served.failure not in REFUSED:
            break
    raise EngineError(
        f"the server at {client.base_url} did not answer a first request for {PROBE_TOKENS} tokens of "
        f"{model!r} ({said}). Look into its log; openai.api, openai.prompt and openai.extra say "
        "how it is asked."
    )


def _dialects(
    config: ExperimentConfig, model: str, exact: Vocabulary | None, words: Vocabulary
) -> Iterator[tuple[Dialect, Vocabulary]]:
    options = config.openai
    takes_ids = options.api == "completions" and options.prompt != "text"
    if options.prompt == "ids" and (exact is None or not takes_ids):
        raise ConfigError(
            f"openai.prompt='ids' needs the tokenizer of {config.model!r} on this machine, and "
            "openai.api='completions'. Give the model's folder as the model, or openai.prompt='text'."
        )
    kinds: list[tuple[bool, Vocabulary]] = []
    if takes_ids and exact is not None:
        kinds.append((True, exact))
    if options.prompt != "ids":
        kinds.append((False, words))
    for ids, vocabulary in kinds:
        for beyond in ({**EXACT, **TOLD}, EXACT, {}):
            dialect = Dialect(model, options.api, ids, beyond, options.extra)
            yield dialect, vocabulary


async def _asked(client: Client, dialect: Dialect, vocabulary: Vocabulary) -> ServedRequest:
    special, size = vocabulary.tokenizer.special_token_ids, vocabulary.tokenizer.vocabulary_size
    prompt = tuple(number for number in range(min(size, 64)) if number not in special)[:8]
    request = Request("probe", prompt, PROBE_TOKENS)
    message = client.message(dialect.path, dialect.body(request, vocabulary))
    served, _ = await client.serve(message, request, client.clock())
    return served


def served_name(
    client: Client, config: ExperimentConfig, models: Sequence[Mapping[str, Any]]
) -> str:
    """The name by which the server knows the model.

    Raises:
        ModelNotFoundError: the server has several models, or another one.
    """
    asked, names = config.openai.served_model, [str(one["id"]) for one in models]
    if asked is not None:
        if names and asked not in names:
            raise _not_served(client, f"openai.served_model={asked!r}", names)
        return asked
    if config.model in names or not names:
        return config.model
    if len(names) == 1:
        return names[0]
    raise _not_served(client, f"model={config.model!r}", names)


def _not_served(client: Client, what: str, names: list[str]) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"the server at {client.base_url} serves no {what}. Set openai.served_model to one of: "
        f"{', '.join(names[:20])}."
    )
