"""The engines' sections of an experiment, each loaded when one of its options is asked for.

A section has up to two hundred options, and an experiment that sets none of them should not
wait until they are all known: :class:`Untouched` stands for such a section.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

    from pytest_llem.config.engines.section import Section

MODELS = {
    "transformers": "pytest_llem.config.engines.transformers:TransformersOptions",
    "vllm": "pytest_llem.config.engines.vllm:VllmOptions",
    "tensorrt_llm": "pytest_llem.config.engines.tensorrt_llm:TensorrtLlmOptions",
    "openai": "pytest_llem.config.engines.openai:OpenaiOptions",
}
ALWAYS: Mapping[str, Mapping[str, Any]] = {
    "transformers": {
        "attn_implementation": None,
        "cache_implementation": None,
        "torch_compile": False,
        "device_map": None,
        "trust_remote_code": False,
        "extra": {},
    },
    "vllm": {
        "max_num_seqs": None,
        "max_num_batched_tokens": None,
        "max_model_len": None,
        "gpu_memory_utilization": None,
        "enforce_eager": False,
        "enable_prefix_caching": False,
        "enable_chunked_prefill": None,
        "kv_cache_dtype": None,
        "extra": {},
    },
    "tensorrt_llm": {
        "max_batch_size": None,
        "max_num_tokens": None,
        "max_seq_len": None,
        "free_gpu_memory_fraction": None,
        "enable_block_reuse": False,
        "enable_chunked_prefill": None,
        "extra": {},
    },
    "openai": {"extra": {}},
}
"""Options that are stored, and belong to the identity, whether or not they are set, with their
defaults; all others only where they differ. Adding to it changes every experiment's identity."""


def engine_called(name: str) -> str:
    """*name*, or the built-in engine that has it with underscores, as ``tensorrt-llm`` has."""
    as_module = name.replace("-", "_")
    return as_module if as_module in MODELS else name


@cache
def model_of(name: str) -> type[Section]:
    """The model of the section *name*."""
    module, _, attribute = MODELS[name].partition(":")
    model: type[Section] = getattr(import_module(module), attribute)
    return model


@cache
def default_of(name: str) -> Section:
    """The section *name* with nothing set."""
    return model_of(name)()


def sparse(section: Section, plain: Mapping[str, Any]) -> dict[str, Any]:
    """What of *plain*, the values of *section* in JSON's types, is stored and identifies it."""
    always = ALWAYS[section.ENGINE]
    return {
        name: plain[name] for name in (*always, *sorted(section.given().keys() - always.keys()))
    }


class Untouched:
    """A section in which nothing is set; like its model in all respects, once one looks."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if attribute in (known := ALWAYS[self._name]) and attribute != "extra":
            return known[attribute]
        return getattr(default_of(self._name), attribute)

    def given(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Untouched):
            return self._name == other._name
        return default_of(self._name) == other

    __hash__ = None  # type: ignore[assignment]  # as that of a model with a mapping

    def __repr__(self) -> str:
        return f"{MODELS[self._name].partition(':')[2]}()"

    def __reduce__(self) -> tuple[type[Untouched], tuple[str]]:
        return Untouched, (self._name,)


def untouched(name: str) -> Any:
    """The section *name* in which nothing is set."""
    return Untouched(name)


class SectionOf:
    """Annotation of a field that holds the section *name*."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """A validator that loads the model only for what is not the default."""
        del source, handler
        return core_schema.no_info_plain_validator_function(
            self._validated,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self._plain, info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """That of the model itself."""
        del schema
        model = model_of(self.name)
        model.model_rebuild()
        return handler(model.__pydantic_core_schema__)

    @property
    def model(self) -> type[Section]:
        """The model of the section."""
        return model_of(self.name)

    def _validated(self, value: Any) -> Any:
        if isinstance(value, Untouched) and value._name == self.name:  # noqa: SLF001 - of this module
            return value
        if isinstance(value, dict) and (not value or value == ALWAYS[self.name]):
            return Untouched(self.name)
        return model_of(self.name).model_validate(value)

    def _plain(self, value: Any, info: core_schema.SerializationInfo) -> dict[str, Any]:
        if isinstance(value, Untouched):
            return {name: {} if name == "extra" else v for name, v in ALWAYS[self.name].items()}
        return sparse(value, value.model_dump(mode=info.mode))
