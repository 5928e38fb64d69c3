"""How a forked experiment leaves: as an interpreter does, less the taking apart of modules."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

FLUSH_FAILED = 120
"""Exit status of an interpreter that could not write what was left (``sys.exit``)."""


def leave(code: object) -> NoReturn:
    """Wait for threads, run what was registered for the exit, flush, and end this process."""
    status = _status(code)
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as Py_FinalizeEx does
    atexit._run_exitfuncs()  # noqa: SLF001 - the same
    os._exit(status if _flushed() else FLUSH_FAILED)


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1


def _flushed() -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except (OSError, ValueError):
        return False
    return True
