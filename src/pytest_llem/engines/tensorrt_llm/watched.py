"""Calls into the engine that may never return, because who should answer is dead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
LOOK_EVERY_S = 0.5


class Watched(Generic[T]):
    """*work* in a thread of its own, which nobody waits for when the process ends."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._value: T
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True, name="llem-tensorrt-llm").start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
        finally:
            self._done.set()

    def wait(self, look: Callable[[], None], every_s: float = LOOK_EVERY_S) -> T:
        """What *work* returned or raised; *look* is called while it runs and may raise as well."""
        while not self._done.wait(every_s):
            look()
        return self._result()

    def ended_within(self, limit_s: float) -> bool:
        """Whether it is over at the latest *limit_s* from now; what it raised is raised."""
        if not self._done.wait(limit_s):
            return False
        self._result()
        return True

    def _result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value
