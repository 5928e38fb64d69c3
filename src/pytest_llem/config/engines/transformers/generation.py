"""What reaches transformers' ``GenerationConfig``. Lengths do not: they are the experiment's."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.config.engines.section import Count, Natural, Positive, Section

TokenIds = tuple[Natural, ...]


class Caching(Section):
    """Key-value cache, prefill and compilation while generating."""

    use_cache: bool | None = None
    """Keep keys and values; without, each step computes everything anew."""
    cache_implementation: (
        Literal["dynamic", "static", "offloaded", "offloaded_static", "quantized"] | None
    ) = None
    """Key-value cache kind; ``None`` lets transformers choose."""
    cache_config: dict[str, Any] | None = None
    """Settings of that cache, such as the bits of a quantized one."""
    max_cache_len: Count | None = None
    """Tokens that a static cache has room for."""
    prefill_chunk_size: Count | None = None
    """Tokens of the prompt that are computed at once."""
    compile_config: dict[str, Any] | None = None
    """Settings of the compilation that ``generate`` does by itself."""
    disable_compile: bool | None = None
    """Keep ``generate`` from compiling by itself."""


class Sampling(Section):
    """How a token is chosen; greedily, if nothing is set."""

    do_sample: bool | None = None
    """Draw tokens rather than take the likeliest."""
    temperature: Positive | None = None
    """Randomness of a draw."""
    top_k: Natural | None = None
    """Likeliest tokens that are drawn from; 0 is all."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Probability that the drawn tokens share."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Least probability of a drawn token, relative to the likeliest."""
    top_h: float | None = Field(default=None, gt=0, le=1)
    """Share of the distribution's entropy that the drawn tokens have."""
    typical_p: float | None = Field(default=None, gt=0, le=1)
    """Probability that tokens of typical surprise share."""
    epsilon_cutoff: float | None = Field(default=None, ge=0, lt=1)
    """Least probability of a drawn token."""
    eta_cutoff: float | None = Field(default=None, ge=0, le=1)
    """Least probability of a drawn token, adapted to the entropy."""
    num_beams: Count | None = None
    """Sequences that are followed for each request."""
    length_penalty: float | None = None
    """Exponent of the length in a beam's score."""
    early_stopping: bool | Literal["never"] | None = None
    """Whether beams that ended suffice; none ends early where ends are ignored."""


class Logits(Section):
    """What is done to the logits before a token is chosen."""

    repetition_penalty: Positive | None = None
    """Factor on tokens that occurred; above 1 avoids them."""
    encoder_repetition_penalty: Positive | None = None
    """Factor on tokens that are not in the prompt; above 1 avoids them."""
    no_repeat_ngram_size: Natural | None = None
    """Length of sequences that occur once at most, in tokens; 0 allows all."""
    encoder_no_repeat_ngram_size: Natural | None = None
    """The same for sequences of the prompt."""
    bad_words_ids: tuple[TokenIds, ...] | None = Field(default=None, min_length=1)
    """Sequences of tokens that are not generated."""
    sequence_bias: tuple[tuple[TokenIds, float], ...] | None = Field(default=None, min_length=1)
    """Addends by sequence of tokens."""
    suppress_tokens: TokenIds | None = None
    """Tokens that are not generated."""
    begin_suppress_tokens: TokenIds | None = None
    """Tokens that are not generated first."""
    forced_eos_token_id: Natural | None = None
    """Token that comes last."""
    renormalize_logits: bool | None = None
    """Normalize after all other processing."""
    remove_invalid_values: bool | None = None
    """Replace infinite and undefined logits."""
    guidance_scale: Positive | None = None
    """Classifier-free guidance, which computes each step twice; 1 is none."""
    watermarking_config: dict[str, Any] | None = None
    """Watermark in the choice of tokens."""
    output_attentions: bool | None = None
    """Keep the attention of each step."""
    output_hidden_states: bool | None = None
    """Keep the hidden states of each step."""
    output_scores: bool | None = None
    """Keep the processed logits of each step."""
    output_logits: bool | None = None
    """Keep the logits of each step."""


class Speculation(Section):
    """Drafting tokens ahead; one request at a time, as transformers has it."""

    prompt_lookup_num_tokens: Count | None = None
    """Tokens that are drafted from what occurred before."""
    max_matching_ngram_size: Count | None = None
    """Most tokens that must have occurred for that."""
    num_assistant_tokens: Count | None = None
    """Tokens that ``assistant_model`` drafts at once."""
    num_assistant_tokens_schedule: (
        Literal["heuristic", "heuristic_transient", "constant"] | None
    ) = None
    """How that number changes with success."""
    assistant_confidence_threshold: float | None = Field(default=None, ge=0, le=1)
    """Probability below which ``assistant_model`` stops drafting."""
    assistant_early_exit: Count | None = None
    """Layers after which the model itself drafts."""
    assistant_lookbehind: Count | None = None
    """Tokens that are compared where the assistant's tokenizer differs."""
    target_lookbehind: Count | None = None
    """The same for the model's own tokens."""
    assistant_ensemble_weight: float | None = Field(default=None, gt=0, lt=1)
    """Weight of the model, not the assistant, in what is accepted."""
    speculation_type: Literal["dflash"] | None = None
    """Kind of draft model, where it drafts otherwise than token by token."""
    use_mtp: bool | None = None
    """Draft with the model's own multi-token heads."""
