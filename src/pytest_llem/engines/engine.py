"""What every inference engine offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Request, Tokenizer

FinishReason = Literal["length", "stop", "abort"]
Batching = Literal["static", "continuous"]
"""Whether the requests of a batch start and end together, or are taken in and let go one by
one while others decode, so that prefill and decode overlap."""


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What became of one request. Stamps are ``time.monotonic_ns``."""

    request_id: str
    input_tokens: int
    output_tokens: int
    first_token_ns: int | None
    """When the first output token existed, or ``None`` where the engine does not say."""
    finish_ns: int
    """When the last output token existed."""
    finish_reason: FinishReason
    token_ids: tuple[int, ...] | None = None
    """Generated token ids, or ``None`` where the engine only counts them."""
    arrival_ns: int | None = None
    """When the request was due at the engine; ``None`` is at the start of the batch."""
    queued_ns: int | None = None
    """When the engine put it in its queue; ``None`` where the engine has none or does not say."""
    scheduled_ns: int | None = None
    """When the engine first gave it a place in a step."""
    token_ns: tuple[int, ...] = ()
    """When each output token existed; those of one step share a stamp. Empty is unknown."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The outcome of one batch. Stamps are ``time.monotonic_ns``."""

    start_ns: int
    end_ns: int
    requests: tuple[RequestResult, ...]
    step_ns: tuple[int, ...] = ()
    """When each output step of the batch ended; empty where the engine does not say."""
    batching: Batching | None = None
    """How the batch was served; ``None`` where the engine does not say."""

    @property
    def input_tokens(self) -> int:
        return sum(request.input_tokens for request in self.requests)

    @property
    def output_tokens(self) -> int:
        return sum(request.output_tokens for request in self.requests)


class Session(Protocol):
    """A loaded model, ready to generate."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        ...

    def generate(self, requests: Sequence[Request]) -> Generation:
        """Serve *requests* as one batch and return when all of them are finished."""
        ...

    def synchronize(self) -> None:
        """Wait until every device has finished what was asked of it."""
        ...

    def describe(self) -> dict[str, Any]:
        """Versions, device and the parameters that really took effect, as JSON values.

        The member ``effective`` maps fields of the experiment (``dtype``, …) and of the
        engine's section (without its name) to the values in effect, as far as the engine
        tells them; where they differ from what was asked, the result has a warning.
        """
        ...

    def close(self) -> None:
        """Free the model; the session cannot be used afterwards."""
        ...


class Engine(Protocol):
    """Loads models for experiments; constructed without arguments."""

    name: ClassVar[str]
    api_version: ClassVar[int]

    def load(self, config: ExperimentConfig) -> Session:
        """Load the model that *config* names.

        Raises:
            MissingExtraError: the engine's package is not installed.
            ModelNotFoundError: there is no such model.
            OutOfMemoryError: the model does not fit.
            EngineError: anything else that keeps the model from loading.
        """
        ...
