"""Workers that died, as the report tells of them."""

from __future__ import annotations


class Deaths:
    """Collects who died and of what."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}
        self._ran: dict[str, str] = {}

    def add(self, worker: str, why: str) -> None:
        """*worker* has died."""
        self._why[worker] = why

    def ran(self, worker: str, what: str) -> None:
        """It ran *what* when it died."""
        self._ran[worker] = what

    def lines(self) -> list[str]:
        """What there is to tell."""
        return [self._line(worker, why) for worker, why in self._why.items()]

    def _line(self, worker: str, why: str) -> str:
        while_ = f" while it ran {self._ran[worker]}" if worker in self._ran else ""
        return f"llem: worker {worker!r} died{while_} ({why}); what it had finished counts"
