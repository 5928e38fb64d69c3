"""What experiments are fed: prompts of files, and descriptions of models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from fuzzing.changing import changed, changes
from fuzzing.places import written
from fuzzing.target import Target
from fuzzing.values import scalars, texts, trees
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.workload import WorkloadConfig
from pytest_llem.runs.fitting import StatedDevice, fits_on, rooms_of
from pytest_llem.workloads.batch import build_requests

LINES = (
    b'{"prompt": "a b", "output_tokens": 3}\n\n{"prompt": "c", "output_tokens": null}\r\n',
    b'\xef\xbb\xbf{"prompt": "\\ud800"}\n',
)
LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 100,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "sliding_window": None,
    "layer_types": ["full_attention", "sliding_attention"],
    "num_experts": 4,
    "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128},
}


@dataclass(frozen=True)
class Letters:
    """A token for each character."""

    vocabulary_size: int = 300
    special_token_ids: frozenset[int] = frozenset({33})

    def encode(self, text: str) -> list[int]:
        return [ord(character) % self.vocabulary_size for character in text]


def _jsonl(content: bytes) -> None:
    path = written("workload", "prompts.jsonl", content)
    for lengths in ("own", "fixed"):
        workload = WorkloadConfig(source="jsonl", path=str(path), lengths=lengths, shuffle=True)
        build_requests(ExperimentConfig(workload=workload, batch_size=3), Letters())


def _model(content: bytes) -> None:
    path = written("model", "config.json", content)
    fits = fits_on(rooms_of(StatedDevice("a GPU", 80 << 30)))
    for backend in ("transformers", "vllm", "tensorrt_llm"):
        fits.of(ExperimentConfig(model=str(path.parent), backend=backend, device="cuda"))


_line = st.one_of(
    st.dictionaries(st.one_of(st.sampled_from(("prompt", "output_tokens")), texts), scalars),
    trees(texts),
)
TARGETS = (
    Target("jsonl", _jsonl, seeds=LINES),
    Target(
        "jsonl-values",
        lambda lines: _jsonl("\n".join(map(json.dumps, lines)).encode()),
        st.lists(_line, max_size=4),
    ),
    Target("model-config", _model, seeds=(json.dumps(LLAMA).encode(),)),
    Target("model-config-values", lambda what: _model(changed(LLAMA, what)), changes(LLAMA)),
)
