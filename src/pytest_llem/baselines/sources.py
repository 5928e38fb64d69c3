"""Where baseline files are read from: a directory, one file, or a commit of git."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from pytest_llem.baselines.places import relative_path
from pytest_llem.baselines.reading import parse_baselines, read_text
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.git import Commit


class Source(Protocol):
    """Baseline files by their place below the directory of baselines."""

    def read(self, relative: PurePosixPath) -> tuple[str, Path] | None:
        """The text of a file and what it is called in messages; ``None`` if there is none.

        Raises:
            BaselineError: it is there and cannot be read.
        """
        ...

    def files(self, below: PurePosixPath | None = None) -> Sequence[PurePosixPath]:
        """All files, or those right in the directory *below*, sorted."""
        ...

    def version(self, relative: PurePosixPath) -> object:
        """Something that changes when the file does; ``None`` if there is none."""
        ...


class DirectorySource:
    """The files of a directory, which need not exist."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self, relative: PurePosixPath) -> tuple[str, Path] | None:
        path = self.directory / relative
        text = read_text(path)
        return None if text is None else (text, path)

    def files(self, below: PurePosixPath | None = None) -> Sequence[PurePosixPath]:
        where = self.directory if below is None else self.directory / below
        try:
            found = [*(where.glob("*.json") if below is not None else where.rglob("*.json"))]
        except OSError as error:
            raise BaselineError(
                f"cannot read the baselines in {where}: {error.strerror or error}. Choose another "
                "directory with --llem-baselines, or --baselines of llem."
            ) from error
        relative = (PurePosixPath(*path.relative_to(self.directory).parts) for path in found)
        return sorted(one for one in relative if not one.name.startswith("."))

    def version(self, relative: PurePosixPath) -> object:
        try:
            status = (self.directory / relative).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


class FileSource:
    """One file, wherever it lies; its content says what it is the baseline of."""

    def __init__(self, path: Path) -> None:
        """Read *path*.

        Raises:
            BaselineError: it cannot be read, or is no baseline.
        """
        text = read_text(path)
        if text is None:
            raise BaselineError(f"there is no baseline {path}. Check its name.")
        content = parse_baselines(text, path)
        self._relative = relative_path(content.group, content.hardware)
        self._found = (text, path)

    def read(self, relative: PurePosixPath) -> tuple[str, Path] | None:
        return self._found if relative == self._relative else None

    def files(self, below: PurePosixPath | None = None) -> Sequence[PurePosixPath]:
        return [self._relative] if below in {None, self._relative.parent} else []

    def version(self, relative: PurePosixPath) -> object:
        return 1 if relative == self._relative else None


class GitSource:
    """The files that a commit has in a directory; nothing is checked out."""

    def __init__(self, commit: Commit, directory: PurePosixPath) -> None:
        """Take the files in *directory* of *commit*, counted from the top of its repository.

        Raises:
            BaselineError: git failed, or the commit has no baseline there.
        """
        self._commit = commit
        self._directory = directory
        names = (name for name in commit.files(directory) if name.suffix == ".json")
        relative = (name.relative_to(directory) for name in names)
        self._files = sorted(one for one in relative if not one.name.startswith("."))
        if not self._files:
            raise BaselineError(
                f"{commit.label} has no baselines in {directory}/. Name another ref, or the "
                f"directory that it has them in: {commit.label}:DIRECTORY"
            )

    def read(self, relative: PurePosixPath) -> tuple[str, Path] | None:
        if relative not in self._files:
            return None
        where = self._directory / relative
        return self._commit.text(where), Path(f"{self._commit.label}:{where}")

    def files(self, below: PurePosixPath | None = None) -> Sequence[PurePosixPath]:
        return [one for one in self._files if below is None or one.parent == below]

    def version(self, relative: PurePosixPath) -> object:
        return self._commit.sha if relative in self._files else None
