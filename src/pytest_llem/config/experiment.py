"""One experiment: what is run, on what, with how much work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from pytest_llem.config.measurement import MeasurementConfig
from pytest_llem.config.model import Model
from pytest_llem.config.order import refuse_unstable
from pytest_llem.config.sections import MODELS, SectionOf, engine_called, untouched
from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.config.workload import WorkloadConfig

if TYPE_CHECKING:
    from pytest_llem.config.engines import (
        OpenaiOptions,
        TensorrtLlmOptions,
        TransformersOptions,
        VllmOptions,
    )
else:  # a section is loaded once one of its options is asked for
    TransformersOptions = Annotated[Any, SectionOf("transformers")]
    VllmOptions = Annotated[Any, SectionOf("vllm")]
    TensorrtLlmOptions = Annotated[Any, SectionOf("tensorrt_llm")]
    OpenaiOptions = Annotated[Any, SectionOf("openai")]

Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
EngineName = Annotated[Name, AfterValidator(engine_called)]
Dtype = Literal["auto", "float32", "float16", "bfloat16"]
BUILTIN_MODEL = "builtin/tiny"


class ExperimentConfig(Model):
    """An energy experiment on LLM inference.

    Everything but ``measurement`` and ``device`` belongs to the experiment's
    identity: two experiments that differ only there are the same experiment.
    """

    backend: EngineName = "transformers"
    """Engine by its registered name, such as ``transformers`` or ``vllm``."""
    model: Name = BUILTIN_MODEL
    """Built-in model, local folder, or hub id."""
    revision: Name | None = None
    """Revision of a hub model; ``None`` is the default branch."""
    dtype: Dtype = "auto"
    """Data type of weights and activations; ``auto`` takes the model's own."""
    quantization: Literal["int8", "int4", "fp8", "awq", "gptq"] | None = None
    """Weight quantization; ``None`` is none beyond what the model itself ships."""
    device: Name = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``; what a server that is not started here runs on may
    be several, and UUIDs, with commas between."""
    tensor_parallel_size: int = Field(default=1, ge=1, le=1024)
    """Devices that share every layer."""
    pipeline_parallel_size: int = Field(default=1, ge=1, le=1024)
    """Groups of devices that share the stack of layers."""
    batch_size: int = Field(default=1, ge=1, le=1_000_000)
    """Requests in one pass of the workload."""
    input_tokens: int = Field(default=128, ge=1, le=10_000_000)
    """Prompt length of every request, in the engine's own tokens."""
    output_tokens: int = Field(default=64, ge=1, le=10_000_000)
    """Generated length of every request; the end-of-sequence token is ignored."""
    prompts: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Texts to draw prompts from, cut or repeated to ``input_tokens``; ``None`` is synthetic."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the prompts and of the engine."""
    workload: WorkloadConfig = WorkloadConfig()
    """Texts, lengths and turns of requests, where they are not simply all alike."""
    transformers: TransformersOptions = Field(default_factory=partial(untouched, "transformers"))
    """Section of the ``transformers`` engine."""
    vllm: VllmOptions = Field(default_factory=partial(untouched, "vllm"))
    """Section of the ``vllm`` engine."""
    tensorrt_llm: TensorrtLlmOptions = Field(default_factory=partial(untouched, "tensorrt_llm"))
    """Section of the ``tensorrt_llm`` engine."""
    openai: OpenaiOptions = Field(default_factory=partial(untouched, "openai"))
    """Section of the ``openai`` engine: a server."""
    traffic: TrafficConfig = TrafficConfig()
    """How requests come to an engine that is a server."""
    engine_options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Sections of engines that other distributions add, by engine, with what differs from their
    defaults; tests and options set them by the engine's name, as those above."""
    measurement: MeasurementConfig = MeasurementConfig()
    """How it is measured; no part of the identity."""

    @field_validator("engine_options")
    @classmethod
    def _of_others(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if own := sorted(value.keys() & MODELS.keys()):
            raise ValueError(f"{own[0]} has a field of its own: set {own[0]} instead.")
        refuse_unstable(value)
        return value


ENGINE_SECTIONS = tuple(MODELS)
