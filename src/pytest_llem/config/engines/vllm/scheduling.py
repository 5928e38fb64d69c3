"""How vLLM forms its batches."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.config.engines.section import Count, Natural, NotNegative, Section, Text


class Serving(Section):
    """How pytest-llem drives vLLM."""

    streaming: bool = False
    """Serve through ``AsyncLLM``, each request at its own arrival, a chunk a token; else ``LLM``."""
    multiprocessing: bool | None = None
    """The engine's core in a process of its own; ``None`` lets vLLM choose. Streaming always has one."""


class Scheduling(Section):
    """Which requests share a step."""

    max_num_seqs: Count | None = None
    """Most sequences in one step."""
    max_num_active_seqs: Count | None = None
    """Most requests let in at once, where that is fewer than a step could hold."""
    max_num_batched_tokens: Count | None = None
    """Most tokens in one step."""
    max_num_scheduled_tokens: Count | None = None
    """Most tokens that the scheduler hands out in one step."""
    max_num_queued_reqs: Count | None = None
    """Requests in the engine beyond which further ones are refused."""
    max_num_queued_tokens: Count | None = None
    """Prompt tokens in prefill beyond which further requests are refused."""
    enable_chunked_prefill: bool | None = None
    """Split long prefills over steps; ``None`` lets vLLM choose."""
    long_prefill_token_threshold: Natural | None = None
    """Prompt length, in tokens, beyond which a prefill counts as long; 0 is never."""
    long_prefill_token_threshold_adaptive: bool | None = None
    """Raise that length to a fair share of a step."""
    disable_chunked_mm_input: bool | None = None
    """Never split a picture or sound over steps."""
    scheduler_reserve_full_isl: bool | None = None
    """Let a request in only if its whole prompt fits into the cache."""
    prefill_schedule_interval: Count | None = None
    """Steps between those that let new prefills in."""
    watermark: float | None = Field(default=None, ge=0, lt=1)
    """Share of the cache kept free when requests are let in."""
    scheduling_policy: Literal["fcfs", "priority"] | None = None
    """Order of requests."""
    async_scheduling: bool | None = None
    """Plan the next step while the device computes."""
    stream_interval: Count | None = None
    """Tokens between two chunks of a stream."""
    optimization_level: int | None = Field(default=None, ge=0, le=3)
    """How much start-up time is spent on a faster engine, from 0 to 3."""
    performance_mode: Literal["balanced", "interactivity", "throughput"] | None = None
    """Whether latency or throughput is favoured."""
    renderer_num_workers: Count | None = None
    """Threads that tokenize and prepare inputs."""


class Speculation(Section):
    """Drafting tokens ahead."""

    speculative_config: dict[str, Any] | None = None
    """Speculative decoding's settings as one mapping."""
    spec_method: Text | None = None
    """How tokens are drafted, such as ``ngram``, ``eagle3`` or ``mtp``."""
    spec_model: Text | None = None
    """Model that drafts."""
    spec_tokens: Count | None = None
    """Tokens drafted at once."""
    diffusion_config: dict[str, Any] | None = None
    """Settings of models that decode by diffusion."""


class Outputs(Section):
    """What is computed beside the tokens."""

    max_logprobs: int | None = Field(default=None, ge=-1)
    """Most log-probabilities a token; -1 is the whole vocabulary."""
    logprobs_mode: (
        Literal["raw_logits", "raw_logprobs", "processed_logits", "processed_logprobs"] | None
    ) = None
    """Before or after which processing they are taken."""
    use_fp64_gumbel: bool | None = None
    """Draw samples in double precision."""
    return_sampling_mask: bool | None = None
    """Report which tokens could have been sampled."""
    enable_return_routed_experts: bool | None = None
    """Report which experts were taken."""
    aux_output_config: dict[str, Any] | None = None
    """Further outputs of the model."""
    structured_outputs_config: dict[str, Any] | None = None
    """Backend for grammars that outputs must follow."""
    reasoning_config: dict[str, Any] | None = None
    """Tokens that delimit a model's reasoning."""
    watermark_config: dict[str, Any] | None = None
    """Watermark in the text."""


class Sampling(Section):
    """Parameters of each request, which vLLM keeps apart from those of the engine.

    Length is not among them: it is the experiment's.
    """

    temperature: NotNegative | None = None
    """Randomness of sampling; ``None`` and 0 are greedy."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Probability that the sampled tokens share."""
    top_k: int | None = Field(default=None, ge=-1)
    """Most likely tokens that are sampled from; -1 and 0 are all."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Least probability of a sampled token, relative to the likeliest."""
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Penalty on tokens that occurred."""
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Penalty on tokens by how often they occurred."""
    repetition_penalty: float | None = Field(default=None, gt=0)
    """Factor on tokens that occurred; above 1 avoids them."""
    logprobs: int | None = Field(default=None, ge=-1)
    """Log-probabilities reported for each output token; -1 is the whole vocabulary."""
    prompt_logprobs: int | None = Field(default=None, ge=-1)
    """Log-probabilities reported for each token of the prompt."""
    logit_bias: dict[int, float] | None = None
    """Addends to the logits, by token id."""
    allowed_token_ids: tuple[int, ...] | None = None
    """The only tokens that may be generated."""
    bad_words: tuple[str, ...] | None = None
    """Words that are not generated."""
    detokenize: bool | None = None
    """Turn tokens into text as they come."""
    skip_reading_prefix_cache: bool | None = None
    """Compute the whole prompt even where its beginning is cached."""
