"""The smaller model that drafts tokens, where one is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.model_source import resolve_model
from pytest_llem.engines.quiet import no_progress
from pytest_llem.engines.transformers_decoding import assistant_arguments

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig


@dataclass(frozen=True, slots=True)
class Assistant:
    """A model that drafts for another."""

    name: str
    arguments: dict[str, Any]
    """Keyword arguments of ``generate``."""


def assistant_of(
    config: ExperimentConfig, model: Any, tokenizer: Any, transformers: Any
) -> Assistant | None:
    """Load ``transformers.assistant_model`` beside *model*; ``None`` if there is none.

    It gets the data type of *model*, and where its tokenizer is another one, transformers
    translates between the two.

    Raises:
        ModelNotFoundError: there is no such model.
    """
    name = config.transformers.given().get("assistant_model")
    if name is None:
        return None
    source = resolve_model(name)
    where = {
        "pretrained_model_name_or_path": source.path_or_id,
        "revision": source.revision,
        "local_files_only": source.offline,
        "trust_remote_code": config.transformers.trust_remote_code,
    }
    with no_progress(transformers):
        assistant = transformers.AutoModelForCausalLM.from_pretrained(**where, dtype=model.dtype)
        own = transformers.AutoTokenizer.from_pretrained(**where)
    assistant.to(model.device).eval()
    assistant.generation_config = transformers.GenerationConfig(
        **assistant_arguments(config.transformers)
    )
    arguments = {"assistant_model": assistant}
    if own.get_vocab() != tokenizer.get_vocab():
        arguments |= {"tokenizer": tokenizer, "assistant_tokenizer": own}
    return Assistant(name, arguments)
