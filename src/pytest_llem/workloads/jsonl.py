"""Prompts of a file with one JSON object a line."""

from __future__ import annotations

import hashlib
import json
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.errors import ConfigError
from pytest_llem.paths import is_file, is_folder, is_there
from pytest_llem.workloads.texts import Line, requests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.workload import WorkloadConfig
    from pytest_llem.workloads.request import Request, Tokenizer


_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can say one half of a pair, and no tokenizer takes it."""


class JsonlWorkload:
    """Requests whose texts, and output lengths if it has them, come from a JSONL file."""

    name: ClassVar[str] = "jsonl"
    api_version: ClassVar[int] = 1

    def requests(self, config: ExperimentConfig, tokenizer: Tokenizer) -> list[Request]:
        """The requests of one pass.

        Raises:
            ConfigError: the file cannot be read, is another than when the experiment was
                planned, or has a line that cannot be used, whose number is given.
        """
        return list(islice(self.endless(config, tokenizer), config.batch_size))

    def endless(self, config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[Request]:
        """Those of the first pass, and further ones like them.

        Raises:
            ConfigError: as :meth:`requests`.
        """
        return requests_of(read_lines(config.workload), config, tokenizer)


def read_lines(workload: WorkloadConfig) -> Sequence[Line]:
    """The prompts of the file that *workload* names; empty lines are passed over.

    All are checked; what each says is read again when it is used, so that a large file takes
    little more memory than its size.

    Raises:
        ConfigError: as for :meth:`JsonlWorkload.requests`.
    """
    lines = Lines(read_pinned(workload), workload)
    if not lines:
        raise ConfigError(f"{workload.path} has no prompts. Write one JSON object a line.")
    return lines


class Lines(Sequence[Line]):
    """The lines of a file's content that are not empty, each of which can be used."""

    def __init__(self, content: bytes, workload: WorkloadConfig) -> None:
        """Check every line.

        Raises:
            ConfigError: one cannot be used.
        """
        self._content = content
        self._workload = workload
        self._places = list(self._checked())

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        return self._read(*self._places[index])

    def _checked(self) -> Iterator[tuple[int, int, int]]:
        """Number, beginning and end of each line."""
        start = len(BOM_UTF8) if self._content.startswith(BOM_UTF8) else 0
        for number in count(1):
            found = self._content.find(b"\n", start)
            end = found if found >= 0 else len(self._content)
            if self._content[start:end].strip():
                self._read(number, start, end)
                yield number, start, end
            if found < 0:
                return
            start = end + 1

    def _read(self, number: int, start: int, end: int) -> Line:
        where = f"{self._workload.path}, line {number}"
        try:
            value = json.loads(self._content[start:end].decode())
        except UnicodeDecodeError:
            raise ConfigError(f"{where}: is no UTF-8.") from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where}: is no JSON: {error}.") from None
        return line_of(value, where, self._workload)


def read_pinned(workload: WorkloadConfig) -> bytes:
    """Content of the workload's file, which must be what it was when experiments were planned.

    Raises:
        ConfigError: there is none, it cannot be read, or it has changed.
    """
    if workload.path is None:
        raise ConfigError(f"workload.source={workload.source!r} needs workload.path.")
    path = Path(workload.path)
    try:
        if is_there(path) and not (is_file(path) or is_folder(path)):
            raise ConfigError(
                f"workload.path={workload.path!r} is a device or a pipe, and no file."
            )
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"workload.path={workload.path!r} cannot be read: {why}. A relative path is "
            "looked for beside the test file that names it."
        ) from None
    if workload.sha256 not in {None, hashlib.sha256(content).hexdigest()}:
        raise ConfigError(
            f"{workload.path} is not the file that the experiment was planned with: its SHA-256 is "
            f"not {workload.sha256}. Start again, or correct workload.sha256."
        )
    return content


def line_of(value: Any, where: str, workload: WorkloadConfig) -> Line:
    """A line or row as a prompt.

    Raises:
        ConfigError: it has no text, or an output length that is none.
    """
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: must be a JSON object, not {type(value).__name__}.")
    text = value.get(workload.field)
    if isinstance(text, str) and _SURROGATE.search(text):
        raise ConfigError(f"{where}: {workload.field!r} has half a character: {text[:40]!r}.")
    if not isinstance(text, str) or not text:
        known = ", ".join(map(repr, value)) or "none"
        raise ConfigError(
            f"{where}: needs a text in {workload.field!r}; its fields are: {known}. "
            "Name another one with workload.field."
        )
    output = value.get(workload.output_field)
    if output is not None and (type(output) is not int or output < 1):
        raise ConfigError(
            f"{where}: {workload.output_field!r} must be a whole number from 1, not {output!r}."
        )
    return Line(where, text, output)
