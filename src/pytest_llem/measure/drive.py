"""Driving a load: warm-up, windows back to back, and a post-roll."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_llem.energy.marks import MeasurementMarks, Pass, WarmUp, WindowMark
from pytest_llem.energy.warm_up.steady import SteadyState
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.config.measurement import MeasurementConfig
    from pytest_llem.energy.marks import WindowPhase
    from pytest_llem.measure.link import SupervisorLink
    from pytest_llem.measure.work import Load, Loads


class Driver:
    """Repeats a load and marks what happened; reads no device and computes no energy.

    The load never pauses between the warm-up and the end of the post-roll, so that
    what lies inside a refresh of the energy counter is as steady as it can be: the
    instant that ends one window begins the next. A window may end once the counter has
    refreshed, so that passes shorter than a refresh leave both its edges beside one.
    """

    def __init__(self, settings: MeasurementConfig, link: SupervisorLink) -> None:
        self._settings = settings
        self._link = link

    def measure(self, name: str, kind: str, loads: Loads) -> MeasurementMarks:
        """Warm the whole load up and measure it, then those that tell the phases apart."""
        __tracebackhide__ = True
        whole, prefill = loads.whole, loads.prefill
        self._link.begin()
        warm_up = self._warm_up(whole)
        windows, load_end_ns = self._phase("whole", whole, self._settings.windows)
        windows = _at(loads.output_length, windows)
        if prefill is not None and self._settings.prefill_windows:
            prefill()  # shapes of its own may be compiled on first use
            found = self._phase("prefill", prefill, self._settings.prefill_windows)[0]
            windows += _at(1, found)
        windows += self._at_lengths(loads.at_lengths)
        return MeasurementMarks.model_validate(
            {
                "name": name,
                "kind": kind,
                "warm_up": warm_up,
                "windows": windows,
                "load_end_ns": load_end_ns,
                "phases": self._settings.phases,
            }
        )

    def _warm_up(self, load: Load) -> WarmUp:
        self._link.phase("warm-up")
        steady = SteadyState(
            least_s=self._settings.warmup_min_s,
            limit_s=self._settings.warmup_max_s,
            lasting_s=self._lasting_s(),
        )
        start_ns, passes = time.monotonic_ns(), 0
        self._ask_whether_steady(start_ns)
        while not steady.decided:
            done = load()
            passes += 1
            self._link.passed(done.end_ns)
            settled = self._link.answered()
            steady.add(
                (done.end_ns - done.start_ns) / 1e9,
                elsewhere=settled,
                elapsed_s=(time.monotonic_ns() - start_ns) / 1e9,
            )
            if settled and not steady.decided:  # by the passes it was not: it may change till then
                self._ask_whether_steady(start_ns)
        return WarmUp(
            start_ns=start_ns,
            end_ns=time.monotonic_ns(),
            passes=passes,
            converged=steady.converged,
            reason=steady.reason,
            criteria=(steady.criterion,),
        )

    def _ask_whether_steady(self, start_ns: int) -> None:
        """Whether the devices have settled is seen by the supervisor, which reads them."""
        self._link.ask("steady", start_ns, self._lasting_s())

    def _lasting_s(self) -> float:
        """How long the windows over the whole will take at least."""
        return self._settings.windows * self._settings.window_s

    def _at_lengths(self, loads: Mapping[int, Load]) -> list[WindowMark]:
        """Windows at several output lengths, in turn forth and back.

        What drifts slowly and evenly then falls on all lengths alike, and is not taken for
        what a token costs.
        """
        __tracebackhide__ = True
        windows: list[WindowMark] = []
        left = self._settings.repeat_windows
        for length, load in loads.items():
            _first_use(length, load)
        for turn in range(self._settings.phase_windows):
            for length, load in list(loads.items())[:: -1 if turn % 2 else 1]:
                found, _ = self._phase("length", load, 1, first=len(windows), left=left)
                windows += _at(length, found)
                left -= len(found) - 1
        return windows

    def _phase(
        self,
        phase: WindowPhase,
        load: Load,
        count: int,
        *,
        first: int = 0,
        left: int | None = None,
    ) -> tuple[list[WindowMark], int]:
        """Windows numbered from *first*, and until when the load ran; invalid ones are repeated."""
        windows = list(self._windows(phase, load, range(first, first + count)))
        load_end_ns = self._post_roll(load, windows[-1].end_ns)
        fresh, left = windows, self._settings.repeat_windows if left is None else left
        while left and (invalid := self._link.review([one.model_dump() for one in fresh])):
            following, more = first + len(windows), min(invalid, left)
            fresh = list(self._windows(phase, load, range(following, following + more)))
            load_end_ns = self._post_roll(load, fresh[-1].end_ns)
            windows += fresh
            left -= more
        return windows, load_end_ns

    def _windows(
        self, phase: WindowPhase, load: Load, indices: Sequence[int]
    ) -> Iterator[WindowMark]:
        load()  # pre-roll: the load runs across the first edge
        edge_ns = time.monotonic_ns()
        for index in indices:
            name = "window" if phase == "whole" else f"{phase} window"
            self._link.phase(name, index, indices[-1] + 1)
            self._link.ask("refreshed", edge_ns, self._settings.window_s)
            passes = list(self._passes_until_answered(load))
            end_ns = time.monotonic_ns()
            yield WindowMark(
                phase=phase, index=index, start_ns=edge_ns, end_ns=end_ns, passes=tuple(passes)
            )
            edge_ns = end_ns

    def _passes_until_answered(self, load: Load) -> Iterator[Pass]:
        yield load()
        while not self._link.answered():
            yield load()

    def _post_roll(self, load: Load, edge_ns: int) -> int:
        """Keep the load running until the trace reaches past the last edge."""
        self._link.ask("settled", edge_ns)
        load()
        while not self._link.answered():
            load()
        return time.monotonic_ns()


def _first_use(length: int, load: Load) -> None:
    """Run *load* once: shapes of its own may be compiled, and it may not fit.

    Raises:
        EngineError: the engine cannot generate so many tokens.
    """
    __tracebackhide__ = True
    try:
        load()
    except EngineError as error:
        raise type(error)(
            f"the windows at {length} output tokens, which tell the phases apart, cannot be run: "
            f"{error} Or choose other lengths with measurement.phase_output_tokens, or another "
            "measurement.phases."
        ) from None


def _at(length: int | None, windows: Sequence[WindowMark]) -> list[WindowMark]:
    """*windows* with the output length of their requests."""
    return [window.model_copy(update={"output_length": length}) for window in windows]
