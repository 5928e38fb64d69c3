"""Other people's libraries, without what they log and print."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT = logging.CRITICAL + 10


@contextmanager
def hushed(logger_name: str) -> Iterator[None]:
    """Nothing is logged below *logger_name* while the body runs; for any thread.

    The level keeps its children quiet, and ``disabled`` the logger itself where the
    library sets another level meanwhile.
    """
    logger = logging.getLogger(logger_name)
    level, disabled = logger.level, logger.disabled
    logger.setLevel(SILENT)
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = disabled
        if logger.level == SILENT:
            logger.setLevel(level)


@contextmanager
def silent(logger_name: str) -> Iterator[None]:
    """The same without what is printed or warned of; for the main thread only.

    Output and warnings belong to the whole process. The error stream is left alone: a
    library that sets up logging meanwhile would write to what replaces it for ever.
    """
    with hushed(logger_name), redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
