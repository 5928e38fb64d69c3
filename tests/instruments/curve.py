"""What a power curve answers."""

from __future__ import annotations

from abc import ABC, abstractmethod

SECOND_NS = 1_000_000_000


class Curve(ABC):
    """Power over time, and its exact integral."""

    @abstractmethod
    def power_w(self, t_ns: int) -> float:
        """Power at the instant *t_ns*, in watts."""

    @abstractmethod
    def energy_j(self, start_ns: int, end_ns: int) -> float:
        """Energy from *start_ns* to *end_ns*, in joules; negative if they are reversed."""

    @abstractmethod
    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        """What a sensor shows that follows with a first-order lag, in watts.

        The convolution of power with ``exp(-age / lag_ns) / lag_ns``.
        """

    @abstractmethod
    def script(self) -> str:
        """The ``curve …`` lines of the double's script."""

    def mean_w(self, start_ns: int, end_ns: int) -> float:
        """Mean power between two instants; the power itself where they are equal."""
        if start_ns == end_ns:
            return self.power_w(end_ns)
        return self.energy_j(start_ns, end_ns) / ((end_ns - start_ns) / SECOND_NS)
