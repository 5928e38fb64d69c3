"""Writing and reading a run's log: JSON lines, each whole or not there."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import stat
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_llem.errors import ConfigError, StoreError
from pytest_llem.results.events import EVENT, LOG_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.results.events import Event

OPTION = "--llem-log"


class EventLog:
    """Appends to a file, or to none.

    A line goes out by one ``write`` as it happens, so that it outlives this process however that
    ends. While the log is held, as it is during windows, lines are kept and nothing is encoded or
    written. A disk that fails ends the log and not the run.
    """

    def __init__(
        self,
        path: Path | None,
        tell: Callable[[str], object] = lambda _: None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """A log at *path*, after what is there; ``None`` keeps none.

        Args:
            path: a file in a directory that is there.
            tell: gets why the log had to end.
            clock: monotonic nanoseconds.

        Raises:
            ConfigError: it cannot be written.
        """
        self._path, self._tell, self._clock = path, tell, clock
        self._descriptor = None if path is None else _opened(path)
        self._kept: list[dict[str, Any]] = []
        self._holds = 0
        self._lock = threading.RLock()
        self.run_id: str | None = None
        """Name of the run that lines are about from now on."""

    def add(self, event: str, **fields: Any) -> None:
        """Something happened now: the *fields* are those of its class in :mod:`.events`."""
        if self._descriptor is None:
            return
        when = {"monotonic_ns": self._clock(), "time": time.time()}
        with self._lock:
            self._kept.append({"event": event, "run_id": self.run_id, **when, **fields})
            if not self._holds:
                self._write()

    def hold(self) -> None:
        """Keep lines until :meth:`let_go`."""
        with self._lock:
            self._holds += 1

    def let_go(self) -> None:
        """Write what was kept."""
        with self._lock:
            self._holds -= 1
            if not self._holds:
                self._write()

    def close(self) -> None:
        """Write what is left; nothing is added afterwards."""
        with self._lock:
            self._write()
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _write(self) -> None:
        lines = b"".join(map(_encoded, self._kept))
        self._kept.clear()
        if self._descriptor is None:
            return
        try:
            while lines:
                lines = lines[os.write(self._descriptor, lines) :]
        except OSError as error:
            os.close(self._descriptor)
            self._descriptor = None
            self._tell(f"the log {self._path} ends here: {error.strerror}. The run goes on.")


def read_events(path: Path) -> list[Event]:
    """The lines of a log, in the order they were written.

    One that was cut off, by a full disk or a machine that stopped, is passed over.

    Raises:
        StoreError: it cannot be read, or is no log of this version.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    events = []
    for number, line in enumerate(lines, 1):
        with suppress(ValueError, RecursionError):
            fields = json.loads(line)
            events.append(_understood(fields, f"{path}:{number}"))
    return events


def _understood(fields: Any, where: str) -> Event:
    try:
        return EVENT.validate_python(fields)
    except ValidationError as error:
        said = error.errors()[0]
        field = ".".join(map(str, said["loc"])) or "line"
        raise StoreError(
            f"{where}: {field}: {said['msg']}. Read it with the pytest-llem that wrote it."
        ) from None


def _encoded(fields: dict[str, Any]) -> bytes:
    when = dt.datetime.fromtimestamp(fields["time"], dt.UTC).astimezone()
    stamps = {"time": when.isoformat(timespec="milliseconds"), "pid": os.getpid()}
    whole = {"schema_version": LOG_VERSION, **fields, **stamps}
    return json.dumps(_plain(whole), allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    """*value* as JSON can hold it: no infinite numbers, no halves of surrogate pairs."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value).encode(errors="backslashreplace").decode()


def _opened(path: Path) -> int:
    """A descriptor that appends to *path*; what was cut off there is ended by a line break.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        os.close(descriptor)
        raise _refused(path, "it is no file, and a slow reader would hold up the run")
    os.set_blocking(descriptor, True)
    if stat.S_ISREG(mode) and _is_cut_off(path):
        os.write(descriptor, b"\n")
    return descriptor


def _is_cut_off(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    return False


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{OPTION}={path} cannot be written: {why}. Give a file in a directory that is there and "
        "may be written."
    )
