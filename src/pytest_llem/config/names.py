"""Names of an experiment's fields, for those who must not load the models."""

from __future__ import annotations

FIELD_NAMES = frozenset(
    {
        "backend",
        "batch_size",
        "device",
        "dtype",
        "input_tokens",
        "measurement",
        "model",
        "openai",
        "output_tokens",
        "pipeline_parallel_size",
        "prompts",
        "quantization",
        "revision",
        "seed",
        "tensor_parallel_size",
        "tensorrt_llm",
        "traffic",
        "transformers",
        "vllm",
        "workload",
    }
)
"""What tests set: the fields of :class:`~pytest_llem.config.experiment.ExperimentConfig` but
``engine_options``, which is set by the names of engines; a test holds it."""
