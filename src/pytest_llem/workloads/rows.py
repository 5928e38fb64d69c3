"""Prompts of a dataset that Hugging Face ``datasets`` reads."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.errors import ConfigError, MissingExtraError
from pytest_llem.workloads.drawing import shuffled
from pytest_llem.workloads.jsonl import line_of, read_pinned
from pytest_llem.workloads.texts import requests_of

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
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
        workload = config.workload
        rows = _rows(config)
        if not len(rows):
            raise ConfigError(
                f"the dataset {workload.dataset!r} has no rows in {workload.split!r}."
            )
        order = range(len(rows))
        if workload.shuffle:
            order = shuffled(len(rows), f"lines/{config.seed}")  # type: ignore[assignment]
        chosen = [order[number] for number in range(min(config.batch_size, len(rows)))]
        lines = [
            line_of(dict(rows[row]), f"{workload.dataset}, row {row} of {workload.split}", workload)
            for row in chosen
        ]
        in_order = config.model_copy(
            update={"workload": workload.model_copy(update={"shuffle": False})}
        )
        return requests_of(lines, in_order, tokenizer)


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
