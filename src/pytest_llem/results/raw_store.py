"""Raw data on disk: staged as JSON lines while a run goes on, Parquet afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.errors import StoreError
from pytest_llem.results.files import explained, listed, replaced
from pytest_llem.results.parquet import (
    parquet_paths,
    read_parquet,
    read_parquet_traces,
    write_parquet,
)
from pytest_llem.results.staging import read_staged, staged_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.results.raw import RawData

_STAGED = ".jsonl"


class RawStore:
    """The raw data of a run, one name an experiment and repeat."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def stage(self, name: str, raw: RawData) -> None:
        """Keep *raw* without loading pyarrow or numpy; it is on disk when this returns.

        Raises:
            StoreError: it could not be written.
        """
        with replaced(self._staged(name)) as file:
            file.writelines(staged_lines(raw))

    def compact(self) -> None:
        """Turn everything staged into Parquet files, with pyarrow.

        Raises:
            StoreError: some could not be turned; it stays staged, and all other was turned.
        """
        troubles = []
        for path in listed(self._directory, _STAGED):
            try:
                write_parquet(self._directory, path.stem, read_staged(path))
                with explained("write", path):
                    path.unlink(missing_ok=True)
            except StoreError as error:
                troubles.append(str(error))
        if troubles:
            raise StoreError("\n".join(troubles))

    def read(self, name: str) -> RawData:
        """The raw data called *name*, in whichever form it is.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        if self._is_staged(name):
            return read_staged(self._staged(name))
        return read_parquet(self._directory, name)

    def read_traces(self, name: str) -> Sequence[Trace]:
        """The traces of it alone, which is much less work.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        if self._is_staged(name):
            return read_staged(self._staged(name)).traces
        return read_parquet_traces(self._directory, name)

    def _is_staged(self, name: str) -> bool:
        """Whether it is still as a run left it, rather than in Parquet files.

        Raises:
            StoreError: it is neither.
        """
        # Staged data is removed last: where it is, the Parquet files may be incomplete.
        if self._staged(name).exists():
            return True
        if any(path.exists() for path in parquet_paths(self._directory, name).values()):
            return False
        raise StoreError(
            f"there is no raw data called {name} in {self._directory}: the experiment was "
            "stored without any, or the files were deleted. Run the experiment again to recompute it."
        )

    def _staged(self, name: str) -> Path:
        return self._directory / f"{name}{_STAGED}"
