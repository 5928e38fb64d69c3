"""How TensorRT-LLM chooses tokens: parameters of each request, by the names of ``SamplingParams``."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pytest_llem.config.engines.section import Count, Natural, NotNegative, Positive, Section, Share


class Sampling(Section):
    """How a token is chosen; greedily, if nothing is set. Length is the experiment's."""

    temperature: NotNegative | None = None
    """Randomness of a draw."""
    top_k: Natural | None = None
    """Likeliest tokens that are drawn from; 0 is all, 1 is greedy."""
    top_p: Share | None = None
    """Probability that the drawn tokens share."""
    top_p_min: float | None = Field(default=None, ge=0, le=1)
    """Least that ``top_p`` decays to."""
    top_p_reset_ids: Natural | None = None
    """Token after which ``top_p`` starts anew."""
    top_p_decay: Share | None = None
    """Factor on ``top_p`` from token to token."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Least probability of a drawn token, relative to the likeliest."""
    repetition_penalty: Positive | None = None
    """Factor on tokens that occurred; above 1 avoids them."""
    presence_penalty: float | None = None
    """Penalty on tokens that occurred."""
    frequency_penalty: float | None = None
    """Penalty on tokens by how often they occurred."""
    no_repeat_ngram_size: Count | None = None
    """Length of sequences that occur once at most, in tokens."""
    bad: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Words that are not generated."""
    bad_token_ids: tuple[Natural, ...] | None = Field(default=None, min_length=1)
    """Tokens that are not generated."""
    use_beam_search: bool | None = None
    """Follow several sequences for each request; one is returned and counted."""
    best_of: Count | None = None
    """How many."""
    beam_width_array: tuple[Count, ...] | None = Field(default=None, min_length=1)
    """How many, step by step."""
    beam_search_diversity_rate: float | None = None
    """How much sequences are kept apart."""
    length_penalty: float | None = None
    """Exponent of the length in a sequence's score."""
    early_stopping: Natural | None = None
    """When sequences that ended suffice; none ends early where ends are ignored."""
    lookahead_config: dict[str, Any] | None = None
    """Windows of lookahead decoding."""
    logprobs: Natural | None = None
    """Log-probabilities reported for each output token."""
    prompt_logprobs: Natural | None = None
    """Log-probabilities reported for each token of the prompt."""
    return_context_logits: bool | None = None
    """Keep the logits of the prompt."""
    return_generation_logits: bool | None = None
    """Keep the logits of each step."""
    additional_model_outputs: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Further outputs of the model, by name."""
    detokenize: bool | None = None
    """Turn tokens into text as they come."""
