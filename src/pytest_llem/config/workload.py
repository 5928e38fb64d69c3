"""What is asked of the engine beyond a batch of equal requests: texts, lengths, turns."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from pytest_llem.config.model import Model
from pytest_llem.config.order import refuse_unstable
from pytest_llem.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig

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


def pinned(values: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Values of a section with the path of its file made absolute, and its digest.

    A file that cannot be read is left without one: the experiment will say so.
    """
    path = values.get("path")
    if path is None:
        return dict(values)
    located = os.path.normpath(directory / expanded(path))
    sha256 = values.get("sha256") or digest_of_file(located)
    return {**values, "path": located, "sha256": sha256}


def pinned_config(config: ExperimentConfig, directory: Path) -> ExperimentConfig:
    """*config* with the file of its workload found in *directory*, unless it is absolute."""
    if config.workload.path is None:
        return config
    values = {"path": config.workload.path, "sha256": config.workload.sha256}
    workload = config.workload.model_copy(update=pinned(values, directory))
    return config.model_copy(update={"workload": workload})


def digest_of_file(path: str) -> str | None:
    """SHA-256 of a file's content, or ``None`` if it cannot be read."""
    try:
        facts = Path(path).stat()
    except (OSError, ValueError):  # or it has a null character
        return None
    if not stat.S_ISREG(facts.st_mode):  # a device may have no end
        return None
    return _digest(path, facts.st_mtime_ns, facts.st_size)


def longest_context(config: ExperimentConfig) -> int | None:
    """Tokens of the longest sequence, or ``None`` where only the workload knows."""
    workload = config.workload
    if workload.source != "synthetic" or workload.lengths != "fixed":
        return None
    prompt = max(workload.input_lengths or (config.input_tokens,))
    output = max(workload.output_lengths or (config.output_tokens,))
    later = workload.turn_tokens or prompt
    return prompt + output + (workload.turns - 1) * (output + later)


@cache
def _digest(path: str, _modified_ns: int, _size: int) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None
