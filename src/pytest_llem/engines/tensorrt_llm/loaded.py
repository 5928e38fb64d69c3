"""A model that TensorRT-LLM has loaded, with everything that serving and describing it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.tensorrt_llm.batch import Limits
from pytest_llem.engines.tensorrt_llm.checkpoint import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.hf_tokenizer import HuggingFaceTokenizer
    from pytest_llem.engines.model_source import ResolvedModel
    from pytest_llem.engines.tensorrt_llm.build_cache import BuiltEngine
    from pytest_llem.engines.tensorrt_llm.installed import TensorrtLlm


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is known after loading."""

    installed: TensorrtLlm
    llm: Any
    config: ExperimentConfig
    source: ResolvedModel
    folder: Path
    """Of the model's files."""
    model_config: Any
    """The text part of the model's Hugging Face configuration."""
    tokenizer: HuggingFaceTokenizer
    end_ids: tuple[int, ...]
    engine: BuiltEngine | None
    """What was compiled; ``None`` for the PyTorch backend."""
    gpus: Sequence[Mapping[str, Any]]
    """Name, compute capability and UUID of each GPU; empty where torch does not say."""
    environment: Mapping[str, str]
    generate_arguments: dict[str, Any]
    """Further arguments of ``generate``."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """What requests ask for beside greedy decoding of a fixed length."""

    @property
    def build_config(self) -> dict[str, Any]:
        """What a compiled engine says that it was built with; empty for others."""
        return self._engine_config("build_config")

    @property
    def pretrained_config(self) -> dict[str, Any]:
        """What a compiled engine says of its model; empty for others."""
        return self._engine_config("pretrained_config")

    def _engine_config(self, part: str) -> dict[str, Any]:
        if self.engine is None:
            return {}
        found = read_json(self.engine.folder / "config.json").get(part)
        return found if isinstance(found, dict) else {}

    @property
    def arguments(self) -> Any:
        """Arguments as ``LLM`` understood them; ``None`` if it does not say."""
        return getattr(self.llm, "args", None)

    def limits(self) -> Limits:
        """What the engine takes."""
        build, arguments = self.build_config, self.arguments
        tokens = build.get("max_seq_len") or getattr(arguments, "max_seq_len", None)
        tokens = tokens or getattr(self.model_config, "max_position_embeddings", None)
        chunked = getattr(arguments, "enable_chunked_prefill", False)
        prompt = build.get("max_num_tokens") or getattr(arguments, "max_num_tokens", None)
        return Limits(
            tokens=_positive(tokens),
            prompt=None if chunked else _positive(prompt),
            vocabulary=int(self.model_config.vocab_size),
            end_ids=self.end_ids,
        )


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
