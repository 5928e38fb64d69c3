"""The stamps that the engine's core puts on every step, kept as they pass by.

A finished request says when it was queued, first scheduled, and had its first and last token;
what lies between is in the core's own output of each step, which is looked at on its way to
vLLM's output processor. All are seconds of ``time.monotonic`` in the core, which is the same
clock in every process of a machine. ``arrival_time`` is wall clock and is never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROCESS = "process_outputs"


class StepStamps:
    """Watches an output processor; costs one list entry a step until it is asked."""

    def __init__(self, processor: Any) -> None:
        """*processor* without such a method leaves the steps unknown."""
        self._steps: list[tuple[float | None, Sequence[Any]]] = []
        self._names: dict[str, str] = {}
        original = getattr(processor, PROCESS, None)
        if original is not None:
            setattr(processor, PROCESS, self._watching(processor, original))

    def begin(self) -> None:
        """Forget what was seen."""
        self._steps = []
        self._names.clear()

    def _watching(self, processor: Any, original: Any) -> Any:
        names, states = self._names, getattr(processor, "request_states", {})

        def process_outputs(*args: Any, **kwargs: Any) -> Any:
            outputs = args[0] if args else kwargs.get("engine_core_outputs", ())
            stamp = args[1] if len(args) > 1 else kwargs.get("engine_core_timestamp")
            self._steps.append((stamp, outputs))
            for output in outputs:
                if output.request_id not in names and output.request_id in states:
                    names[output.request_id] = states[output.request_id].external_req_id
            return original(*args, **kwargs)

        return process_outputs

    def step_ns(self) -> tuple[int, ...]:
        """When each step that made a token ended."""
        stamped = [(at, outputs) for at, outputs in self._steps if at]
        made = (at for at, outputs in stamped if any(one.new_token_ids for one in outputs))
        return tuple(dict.fromkeys(sorted(map(nanoseconds, made))))

    def token_ns(self) -> Mapping[str, tuple[int, ...]]:
        """When each output token existed, by the name that a request was given."""
        found: dict[str, list[int]] = {}
        for stamp, outputs in self._steps:
            if not stamp:
                continue
            at = nanoseconds(stamp)
            for output in outputs:
                tokens = found.setdefault(self._names.get(output.request_id, ""), [])
                tokens.extend([at] * len(output.new_token_ids))
        return {name: tuple(stamps) for name, stamps in found.items()}


def nanoseconds(seconds: float) -> int:
    """*seconds* of the monotonic clock as ``time.monotonic_ns`` counts them."""
    return round(seconds * 1e9)


def known_ns(metrics: Any, name: str) -> int | None:
    """A stamp of a finished request; ``None`` if it has none, which vLLM writes as 0."""
    seconds = getattr(metrics, name, None)
    return nanoseconds(seconds) if seconds else None
