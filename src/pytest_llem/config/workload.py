"""What is asked of the engine beyond a batch of equal requests: texts, lengths, turns."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from pytest_llem.config.model import Model
from pytest_llem.config.order import refuse_unstable

Text = Annotated[str, StringConstraints(min_length=1)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000)]
LengthChoice = Literal["fixed", "lognormal", "sharegpt", "alpaca", "own"]
OF_FILES = frozenset({"jsonl", "datasets"})
"""Sources whose texts have lengths of their own."""


class WorkloadConfig(Model):
    """Where prompts come from, how long requests are, and whether they form chats."""

    source: Text = "synthetic"
    """Workload by its registered name: ``synthetic`` (or the texts of ``prompts``), ``jsonl``,
    ``datasets``, or one that another distribution adds."""
    lengths: LengthChoice = "fixed"
    """``fixed``: every request has ``input_tokens`` and ``output_tokens``. ``lognormal``: these
    are the means of two log-normal distributions. ``sharegpt`` and ``alpaca``: log-normal with
    published means, whatever the two say. ``own``: those of the texts and of their file."""
    input_lengths: tuple[Tokens, ...] | None = Field(default=None, min_length=1)
    """Prompt lengths that requests take in turn; they replace those of ``lengths``."""
    output_lengths: tuple[Tokens, ...] | None = Field(default=None, min_length=1)
    """Output lengths that requests take in turn; they replace those of ``lengths``."""
    input_sigma: float = Field(default=1.0, ge=0, le=3)
    """Standard deviation of the logarithm of prompt lengths, for log-normal ones."""
    output_sigma: float = Field(default=1.0, ge=0, le=3)
    """Standard deviation of the logarithm of output lengths, for log-normal ones."""
    max_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    """Most tokens of a log-normal prompt or output; longer ones are drawn again."""
    path: Text | None = None
    """File with prompts; a relative one is looked for beside the test file that names it, and
    one that is given on the command line in the current directory."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Digest of that file; it is filled in when experiments are planned, and then checked."""
    field: Text = "prompt"
    """Field of a line or row that has the text."""
    output_field: Text = "output_tokens"
    """Field that has a request's own output length, if it has one."""
    dataset: Text | None = None
    """Name of a dataset for ``datasets.load_dataset``, such as ``json`` with a ``path``."""
    subset: Text | None = None
    split: Text = "train"
    revision: Text | None = None
    shuffle: bool = False
    """Take lines in an order drawn by the seed rather than as they come."""
    turns: int = Field(default=1, ge=1, le=1000)
    """Turns of each chat; each turn's prompt is all that was said before, and new tokens."""
    turn_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    """New tokens of each turn after the first; ``None`` takes as many as the first has."""
    prefix_cache: bool = False
    """Whether the engine may reuse what turns of a chat share. Passes then begin with tokens of
    their own, so that nothing is reused from one pass to the next."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Options of a workload that another distribution adds."""

    @field_validator("extra", mode="before")
    @classmethod
    def _has_an_order(cls, value: Any) -> Any:
        return refuse_unstable(value)
