"""What every workload offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Request, Tokenizer


class Workload(Protocol):
    """Says what is asked of an engine; constructed without arguments."""

    name: ClassVar[str]
    api_version: ClassVar[int]

    def requests(self, config: ExperimentConfig, tokenizer: Tokenizer) -> Sequence[Request]:
        """The requests of one pass, or the first turns of its chats.

        The same configuration and tokenizer give the same requests, on every machine: what is
        random is drawn from ``config.seed``. No prompt holds a special token.

        Raises:
            ConfigError: the configuration does not fit, or names a file that cannot be read.
            MissingExtraError: a package that it reads with is not installed.
        """
        ...
