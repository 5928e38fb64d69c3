"""The whole machine as CodeCarbon models it, asked offline through its hardware objects.

CodeCarbon (https://codecarbon.io) takes the processor's power from its load and its thermal
design power (``cpu_load``, P = TDP × (0.1 + 0.9 load³)), the memory's from its size, and GPUs'
from their counters. It is an estimate as a whole, however exact the GPUs' part is. No
tracker is made, so that nothing is sent, locked or written.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pytest_llem.devices.hushed import hushed, silent
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.errors import MeterError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

GPU_PERIOD_S = 0.1
"""Of GPUs it takes differences of raw counters, which may be as old as their refresh: 20 to
100 ms (Yang, Adamek and Armour, arXiv 2312.02741)."""
LOGGER = "codecarbon"
BEAT_NS = 200_000_000
"""How often CodeCarbon is asked. The kernel counts a processor's time in steps of 10 ms, and
CodeCarbon cubes the load, so that shorter spans would be mostly noise."""
KWH_J = 3.6e6
KEPT = 64
"""Answers that are remembered, for energies between them."""


class Assumptions(NamedTuple):
    """What CodeCarbon takes this machine for."""

    cpu_model: str
    tdp_w: float
    ram_w: float
    gpus: tuple[str, ...]

    def sentence(self) -> str:
        """Everything in one line."""
        gpus = [f"{self.gpus.count(name)} × {name}" for name in dict.fromkeys(self.gpus)]
        cpu = f"{self.cpu_model} by its load and {self.tdp_w:g} W"
        return ", ".join([cpu, f"memory as {self.ram_w:g} W", *gpus])


class CodeCarbonMeter:
    """Reads the machine, neighbours and all.

    Energy is known up to CodeCarbon's last answer; a reading therefore speaks of an instant
    ``BEAT_NS`` ago, and its stamps say so. Power is ``None``, as energy is made of it.

    Args:
        clock: instants, in nanoseconds.
    """

    name: ClassVar[str] = "codecarbon"
    api_version: ClassVar[int] = 1

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._cpu: Any = None
        self._gpus: Any = None
        self._answers: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self.account: str | None = None
        """One line about what is assumed, for the head of the report."""

    def discover(self) -> list[Device]:
        """The one device, named by what is assumed of it.

        Raises:
            MissingExtraError: CodeCarbon is not installed.
        """
        assumed = assumptions()
        said = assumed.sentence()
        self.account = f"CodeCarbon's model: {said}"
        stale_s = GPU_PERIOD_S if assumed.gpus else None
        return [Device("codecarbon", said, Capability("node", "estimated", None, stale_s))]

    def read(self, device: Device) -> Reading:  # noqa: ARG002 - there is only one
        """Energy as of ``BEAT_NS`` ago; ``None`` before that.

        Raises:
            MeterError: CodeCarbon could not read the GPUs, whose part it would leave out.
        """
        before_ns = self._clock()
        if not self._answers:
            self._begin()
        elif before_ns - self._answers[-1][0] >= BEAT_NS:
            with hushed(LOGGER):
                self._ask()
        after_ns = self._clock()
        energy_j = self._energy_j((before_ns + after_ns) // 2 - BEAT_NS)
        return Reading(before_ns - BEAT_NS, after_ns - BEAT_NS, energy_j, None)

    def facts(self, device: Device) -> Facts:  # noqa: ARG002 - there is only one
        """Nothing is known but the time."""
        return Facts(time_ns=self._clock())

    def close(self) -> None:
        """There is nothing to give back."""

    def _begin(self) -> None:
        with hushed(LOGGER):
            self._cpu, self._gpus = _hardware()
            self._cpu.start()
            if self._gpus is not None:
                self._gpus.start()
        self._answers.append((self._clock(), 0.0))

    def _ask(self) -> None:
        """Let CodeCarbon measure the time since it was asked last."""
        now_ns, (last_ns, energy_j) = self._clock(), self._answers[-1]
        seconds = (now_ns - last_ns) / 1e9
        used_j = self._cpu.measure_power_and_energy(seconds)[1].kWh * KWH_J
        if self._gpus is not None:
            power, energy = self._gpus.measure_power_and_energy(seconds)
            unread = _unread(self._gpus)
            if unread or (not power.W and not energy.kWh):
                which = f" of index {', '.join(map(str, unread))}" if unread else ""
                raise MeterError(
                    f"CodeCarbon could not read the GPUs{which}, and would count them as nothing. "
                    "Look at `nvidia-smi`, or take the meter nvml."
                )
            used_j += energy.kWh * KWH_J
        used_j += assumptions().ram_w * seconds
        self._answers.append((now_ns, energy_j + used_j))

    def _energy_j(self, time_ns: int) -> float | None:
        """Energy at an instant: between two answers CodeCarbon's power is one."""
        times = [answer[0] for answer in self._answers]
        number = bisect_left(times, time_ns)
        if number >= len(times) or (number == 0 and times[0] != time_ns):
            return None
        (end_ns, end_j), (start_ns, start_j) = self._answers[number], self._answers[number - 1]
        if end_ns == time_ns:
            return end_j
        return start_j + (end_j - start_j) * (time_ns - start_ns) / (end_ns - start_ns)


def _unread(gpus: Any) -> list[int]:
    """Indices of GPUs that it counted as nothing, which is how it leaves out what it cannot read.

    The second die of a card whose first one counts for both is meant to be nothing.
    """
    return [
        gpu.gpu_index
        for gpu in gpus.devices.devices
        if not (gpu.power.W or gpu.energy_delta.kWh or _nothing_by_design(gpu))
    ]


def _nothing_by_design(gpu: Any) -> bool:
    asked = getattr(gpu, "_reports_zero_power_by_design", None)  # CodeCarbon has no public name
    return asked is not None and bool(asked())


@cache
def assumptions() -> Assumptions:
    """What CodeCarbon takes this machine for; asked for in silence, once per process.

    Raises:
        MissingExtraError: CodeCarbon is not installed.
    """
    with silent(LOGGER):
        try:
            from codecarbon.core.cpu import TDP
            from codecarbon.core.util import count_physical_cpus
            from codecarbon.external.hardware import POWER_CONSTANT
            from codecarbon.external.ram import RAM
        except ImportError:
            raise MissingExtraError("codecarbon", "codecarbon") from None
        tdp = TDP()
        gpus = _gpus()
        details = gpus.devices.get_gpu_static_info() if gpus else []
        return Assumptions(
            cpu_model=tdp.model or "unknown processor",
            tdp_w=tdp.tdp * count_physical_cpus() if tdp.tdp else POWER_CONSTANT,
            ram_w=RAM(tracking_mode="machine").total_power().W,
            gpus=tuple(str(one["name"]) for one in details),
        )


def _hardware() -> tuple[Any, Any]:
    """CodeCarbon's own processor, and its GPUs if there are any."""
    from codecarbon.external.hardware import CPU

    known = assumptions()
    # The folder is for other modes' logs; this one writes none.
    return CPU.from_utils(".", "cpu_load", known.cpu_model, known.tdp_w), _gpus()


def _gpus() -> Any:
    from codecarbon.core.gpu import is_gpu_details_available
    from codecarbon.external.hardware import GPU

    if not is_gpu_details_available():
        return None
    gpus = GPU.from_utils()
    return gpus if gpus.num_gpus else None
