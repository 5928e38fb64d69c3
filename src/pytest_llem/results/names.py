"""Names of runs and of their files."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONGEST = 150
"""Longest name made from an experiment's id: file systems allow 255 bytes, suffixes included."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_DIGEST = 10


def utc_now() -> datetime:
    """The wall clock: a label, never used to compute."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """ISO 8601 with offset, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")


def command_line(command: Sequence[str]) -> str:
    """*command* as one would type it: without the folders of pytest's own files."""
    program, *arguments = command or ("?",)
    path = Path(program)
    name = path.parent.name if path.name == "__main__.py" else path.name
    return shlex.join([name, *arguments])


def new_run_id(moment: datetime) -> str:
    """A name that sorts by time and differs for two runs of the same instant."""
    stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    return f"{stamp}.{moment.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


def safe_name(experiment_id: str) -> str:
    """*experiment_id* as a file name: itself where it can be, else with a digest to stay unique.

    ``@`` never occurs, so that what follows it tells repeats apart.
    """
    name = _UNSAFE.sub("_", experiment_id).lstrip(".-")[:LONGEST]
    if name and name == experiment_id:
        return name
    digest = hashlib.sha256(experiment_id.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name}-{digest}".lstrip("-")


def repeat_name(experiment_id: str, repeat: int) -> str:
    """Name of the files of one repeat: ``<id>`` for the first, ``<id>@r1`` for the second."""
    return f"{safe_name(experiment_id)}@r{repeat}" if repeat else safe_name(experiment_id)


def file_names(experiment_id: str, repeat: int) -> Iterator[str]:
    """Names to try for one repeat, without end: stored again, it gets ``@2``, ``@3`` and so on."""
    name = repeat_name(experiment_id, repeat)
    yield name
    yield from (f"{name}@{number}" for number in count(2))


def newest_name(names: Iterable[str], experiment_id: str, repeat: int) -> str | None:
    """That of *names* under which one repeat was stored last; ``None`` if it never was."""
    first = repeat_name(experiment_id, repeat)
    again = re.compile(re.escape(first) + r"(?:@(\d+))?")
    found = (again.fullmatch(name) for name in names)
    newest = max((int(match[1] or 1) for match in found if match), default=None)
    if newest is None:
        return None
    return first if newest == 1 else f"{first}@{newest}"
