"""From a found model to a loaded one, with everything that generating needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.hf_tokenizer import HuggingFaceTokenizer
from pytest_llem.engines.transformers.assistant import Assistant, assistant_of
from pytest_llem.engines.transformers.decoding import generation_arguments
from pytest_llem.engines.transformers.options import (
    location,
    pretrained_arguments,
    require_shipped,
)
from pytest_llem.engines.transformers.quiet import no_progress
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from pytest_llem.config.engines import TransformersOptions
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.model_source import ResolvedModel


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on its device."""

    torch: Any
    transformers: Any
    model: Any
    tokenizer: HuggingFaceTokenizer
    config: ExperimentConfig
    source: ResolvedModel
    end_ids: tuple[int, ...]
    """Ids that end a sequence by the model's own configuration."""
    pad_id: int
    """What fills a row before its prompt; masked, so its value has no effect."""
    compiles_itself: bool
    """Whether ``generate`` compiles the decode step on its own."""
    cuda_devices: tuple[str, ...]
    """CUDA devices that hold a part of the model, such as ``cuda:0``."""
    assistant: Assistant | None = None
    """The model that drafts tokens; ``None`` if none does."""

    @property
    def device(self) -> Any:
        """The torch device that takes the token ids."""
        return self.model.device

    @property
    def embeddings(self) -> int:
        """Token ids that the model accepts, from 0."""
        return int(self.model.get_input_embeddings().num_embeddings)

    @property
    def positions(self) -> int | None:
        """Most tokens of a sequence, input and output; ``None`` if there is no limit."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return limit if isinstance(limit, int) and limit > 0 else None

    def synchronize(self) -> None:
        """Wait for every CUDA device of the model; nothing to do on a CPU."""
        for device in self.cuda_devices:
            self.torch.cuda.synchronize(device)

    def generation_config(self, steps: int) -> Any:
        """*steps* tokens, greedily unless asked otherwise, whatever the model's authors prefer."""
        asked = generation_arguments(self.config.transformers, self.transformers)
        arguments = {"do_sample": False, "disable_compile": not self.compiles_itself} | asked
        if self.compiles_itself and "compile_config" not in arguments:
            compiling = _compile_arguments(self.config.transformers)
            arguments["compile_config"] = self.transformers.CompileConfig(**compiling)
        return self.transformers.GenerationConfig(
            max_new_tokens=steps, pad_token_id=self.pad_id, **arguments
        )


def load(
    torch: Any, transformers: Any, config: ExperimentConfig, source: ResolvedModel, device: str
) -> Loaded:
    """Read weights and tokenizer from *source* and put the model on *device*.

    Raises:
        EngineError: weights are missing, or not quantized as asked.
    """
    arguments = pretrained_arguments(config, source, device, transformers)
    with no_progress(transformers):
        model, report = transformers.AutoModelForCausalLM.from_pretrained(**arguments)
        tokenizer = transformers.AutoTokenizer.from_pretrained(**location(config, source))
    _require_all_weights(config.model, report)
    require_shipped(config, model)
    if "device_map" not in arguments:
        model.to(device)
    model.eval()
    ends = _end_ids(model)
    pad = getattr(model.config.get_text_config(), "pad_token_id", None)
    # The authors' sampling and penalties would add work that no experiment asked for.
    model.generation_config = transformers.GenerationConfig()
    return Loaded(
        torch=torch,
        transformers=transformers,
        model=model,
        tokenizer=HuggingFaceTokenizer(
            tokenizer, model.get_input_embeddings().num_embeddings, ends
        ),
        config=config,
        source=source,
        end_ids=ends,
        pad_id=pad if isinstance(pad, int) else 0,
        compiles_itself=compile_if_asked(model, config.transformers),
        cuda_devices=_cuda_devices(model),
        assistant=assistant_of(config, model, tokenizer, transformers),
    )


def _require_all_weights(model: str, report: dict[str, Any]) -> None:
    if missing := sorted(report["missing_keys"]):
        raise EngineError(
            f"the weights of {model!r} lack {len(missing)} tensors, such as {missing[0]!r}; "
            "transformers would fill them with random numbers. Check that the download is complete."
        )


def compile_if_asked(model: Any, options: TransformersOptions) -> bool:
    """Compile the forward pass if asked; whether that is left to ``generate``.

    With a static cache on a GPU ``generate`` compiles the decode step itself,
    with CUDA graphs, asked or not; everywhere else it never does.
    """
    if not options.torch_compile:
        return False
    static = options.cache_implementation in {"static", "offloaded_static"}
    if static and model.device.type == "cuda" and not options.given().get("disable_compile"):
        return True
    model.compile(**_compile_arguments(options))
    return False


def _compile_arguments(options: TransformersOptions) -> dict[str, Any]:
    prefix = "torch_compile_"
    given = options.given().items()
    return {name.removeprefix(prefix): value for name, value in given if name.startswith(prefix)}


def _cuda_devices(model: Any) -> tuple[str, ...]:
    devices = {str(weight.device) for weight in model.parameters() if weight.device.type == "cuda"}
    return tuple(sorted(devices))


def _end_ids(model: Any) -> tuple[int, ...]:
    end = model.generation_config.eos_token_id
    if end is None:
        end = getattr(model.config.get_text_config(), "eos_token_id", None)
    if end is None:
        return ()
    return (end,) if isinstance(end, int) else tuple(end)
