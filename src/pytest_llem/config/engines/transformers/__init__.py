"""The ``transformers`` section, in groups."""

from __future__ import annotations

from typing import ClassVar, Literal

from pytest_llem.config.engines.section import Section, Text
from pytest_llem.config.engines.transformers.generation import (
    Caching,
    Logits,
    Sampling,
    Speculation,
)
from pytest_llem.config.engines.transformers.loading import Loading


class Runtime(Section):
    """What neither function of transformers takes, and the engine does around them."""

    torch_compile: bool = False
    """Compile the forward pass with ``torch.compile``."""
    torch_compile_backend: Text | None = None
    """Compiler, such as ``inductor`` or ``eager``."""
    torch_compile_mode: (
        Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] | None
    ) = None
    """What the compiler optimizes for."""
    torch_compile_dynamic: bool | None = None
    """Compile for any shape at once, or for each alone."""
    torch_compile_fullgraph: bool | None = None
    """Fail where the pass cannot be compiled as a whole."""
    float32_matmul_precision: Literal["highest", "high", "medium"] | None = None
    """Precision inside products of float32 matrices; less than the highest uses TF32."""
    assistant_model: Text | None = None
    """Smaller model that drafts tokens: built in, a folder, or a hub id."""


LOADING_FIELDS = frozenset(Loading.model_fields) - {"extra"}
"""Options named as keyword arguments of ``from_pretrained``."""
GENERATION_FIELDS = (
    frozenset(Caching.model_fields)
    | frozenset(Sampling.model_fields)
    | frozenset(Logits.model_fields)
    | frozenset(Speculation.model_fields)
) - {"extra"}
"""Options named as attributes of ``GenerationConfig``."""


class TransformersOptions(Speculation, Logits, Sampling, Caching, Runtime, Loading):
    """Parameters of Hugging Face transformers that move energy or speed.

    ``extra`` holds further keyword arguments of ``from_pretrained``.
    """

    ENGINE: ClassVar[str] = "transformers"
    OWN: ClassVar[frozenset[str]] = frozenset(Runtime.model_fields) - {"extra"}
    GROUPS: ClassVar[dict[str, frozenset[str]]] = {
        "from_pretrained": LOADING_FIELDS,
        "GenerationConfig": GENERATION_FIELDS,
    }
    ELSEWHERE: ClassVar[dict[str, str]] = {
        "from_pretrained.pretrained_model_name_or_path": "model",
        "from_pretrained.revision": "revision",
        "from_pretrained.dtype": "dtype",
        "from_pretrained.torch_dtype": "dtype",
        "GenerationConfig.max_length": "output_tokens",
        "GenerationConfig.max_new_tokens": "output_tokens",
        "GenerationConfig.min_length": "output_tokens",
        "GenerationConfig.min_new_tokens": "output_tokens",
        "GenerationConfig.eos_token_id": "output_tokens",
        "GenerationConfig.pad_token_id": "model",
    }
