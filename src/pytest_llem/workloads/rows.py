"""Prompts of a dataset that Hugging Face ``datasets`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, overload

from pytest_llem.errors import ConfigError, MissingExtraError
from pytest_llem.workloads.jsonl import line_of, read_pinned
from pytest_llem.workloads.texts import Line, requests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.workload import WorkloadConfig
    from pytest_llem.workloads.request import Request, Tokenizer


OF_FILES = frozenset({"arrow", "csv", "json", "pandas", "parquet", "text", "xml"})
"""Names that ``datasets`` has for formats of files."""


class DatasetsWorkload:
    """Requests whose texts, and output lengths if it has them, are rows of a dataset."""

    name: ClassVar[str] = "datasets"
    api_version: ClassVar[int] = 1

    def requests(self, config: ExperimentConfig, tokenizer: Tokenizer) -> list[Request]:
        """The requests of one pass; only the rows that are used are read.

        Raises:
            MissingExtraError: ``datasets`` is not installed.
            ConfigError: there is no such dataset, or a row cannot be used.
        """
        return list(islice(self.endless(config, tokenizer), config.batch_size))

    def endless(self, config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[Request]:
        """Those of the first pass, and further ones like them.

        Raises:
            MissingExtraError, ConfigError: as :meth:`requests`.
        """
        workload = config.workload
        rows = _rows(config)
        if not len(rows):
            raise ConfigError(
                f"the dataset {workload.dataset!r} has no rows in {workload.split!r}."
            )
        return requests_of(RowLines(rows, workload), config, tokenizer)


class RowLines(Sequence[Line]):
    """Rows of a dataset as prompts, each read when it is taken."""

    def __init__(self, rows: Any, workload: WorkloadConfig) -> None:
        self._rows, self._workload = rows, workload

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> Line: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[Line]: ...

    def __getitem__(self, row: int | slice) -> Line | Sequence[Line]:
        """One of them, or several.

        Raises:
            ConfigError: it cannot be used.
        """
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        where = f"{self._workload.dataset}, row {row} of {self._workload.split}"
        return line_of(dict(self._rows[row]), where, self._workload)


def _rows(config: ExperimentConfig) -> Any:
    workload = config.workload
    if workload.dataset is None:
        raise ConfigError("workload.source='datasets' needs workload.dataset.")
    arguments: dict[str, Any] = {}
    if workload.dataset in OF_FILES and workload.path is None:
        raise ConfigError(
            f"workload.dataset={workload.dataset!r} needs workload.path; without, it would read "
            "whatever lies in the current directory."
        )
    if workload.path is not None:
        read_pinned(workload)
        arguments["data_files"] = workload.path
    if workload.revision is not None:
        arguments["revision"] = workload.revision
    try:
        library = import_module("datasets")
    except ModuleNotFoundError:
        raise MissingExtraError("datasets", "datasets") from None
    library.disable_progress_bars()
    try:
        return library.load_dataset(
            workload.dataset, workload.subset, split=workload.split, **arguments
        )
    except Exception as error:  # a reader of whatever format raises whatever it likes
        raise ConfigError(
            f"the dataset {workload.dataset!r} cannot be loaded: {error.__cause__ or error}"
        ) from error
