"""What the measured process marked. All stamps are ``time.monotonic_ns``."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from pytest_llem.config.measurement import PhaseChoice
from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.energy.latency import Bins, LatencyKind
from pytest_llem.energy.model_shape import ModelShape
from pytest_llem.engines.engine import Batching
from pytest_llem.engines.served import CountedBy  # noqa: TC001 - pydantic reads it

WindowPhase = Literal["whole", "prefill", "length"]
"""What a window repeats: the workload, its prefill only, or the workload at another output
length."""


class Mark(BaseModel):
    """Immutable; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RequestMark(NamedTuple):
    """One request of traffic that ended in a pass."""

    due_ns: int
    """When it was to be sent."""
    sent_ns: int
    end_ns: int
    first_token_ns: int | None
    """``None`` if no token came."""
    input_tokens: int | None
    output_tokens: int | None
    failure: str | None
    """What kind of failure it was; ``None`` if it was served."""
    counted_by: CountedBy | None


class Served(Mark):
    """What a server did in a pass of traffic."""

    requests: tuple[RequestMark, ...]
    """Those that ended in it."""
    in_flight: int
    """Requests that were sent and not answered yet when the pass ended."""


class Pass(Mark):
    """One pass of the workload inside a window: one batch, or one call of a function."""

    start_ns: int
    end_ns: int
    requests: int | None
    """Requests served; ``None`` if the work was not declared."""
    input_tokens: int | None
    output_tokens: int | None
    ttft_s: float | None = None
    """Mean time to first token over the pass's requests, in seconds."""
    itl_s: float | None = None
    """Mean gap between output tokens over the pass's requests, in seconds."""
    finish_reasons: dict[str, int] = {}
    """How many requests ended for which reason."""
    first_token_ns: int | None = None
    """When the first of the pass's requests had its first token; ``None`` is unknown."""
    prefill_end_ns: int | None = None
    """When the last of them had its first token; ``None`` is unknown."""
    latencies: dict[LatencyKind, Bins] = {}
    """Latencies of its requests in the bins of :mod:`pytest_llem.energy.latency`; a kind that is
    not known of all of them is not there. Of traffic they are the gaps between pieces of answers
    that were served; the others follow from ``served``."""
    batching: Batching | None = None
    """Whether requests start and end together or come and go; ``None`` is unknown."""
    served: Served | None = None
    """The requests themselves, where they came as traffic; ``None`` for a batch."""


class WindowMark(Mark):
    """One window: whole passes, back to back."""

    phase: WindowPhase
    index: int
    """Number of the window within its phase, from 0."""
    start_ns: int
    end_ns: int
    passes: tuple[Pass, ...]
    output_length: int | None = None
    """Output tokens of every request; ``None`` if they differ or are not recorded."""


class Criterion(Mark):
    """One of the things that have to hold for a load to be steady."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: Literal["latency", "power", "temperature", "throttling"]
    holds: bool | None
    """``None`` if it cannot be seen here, for the reason given; it is then neither met nor missed."""
    value: float | None = None
    """Latency: drift of the passes, relative. Power: drift over the time that the windows take,
    relative. Temperature: its change over the same time, in degrees Celsius. Throttling: how many
    reasons other than those a card is meant to have lower its clocks."""
    limit: float | None = None
    """The most that the size of the value may be."""
    reason: str
    """What was seen, in words."""


class WarmUp(Mark):
    """The load before the first window."""

    start_ns: int
    end_ns: int
    passes: int
    converged: bool
    """Whether the load was steady before the limit."""
    reason: str
    """What was seen: the criteria that held, or those that did not."""
    criteria: tuple[Criterion, ...] = ()
    """What was looked at when the warm-up ended; empty in results that were stored without it."""

    @property
    def duration_s(self) -> float:
        """How long it took, in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


class Idle(Mark):
    """What the devices draw with the model loaded and nothing to do."""

    model_config = ConfigDict(allow_inf_nan=False)

    power_w: float | None = None
    """``None`` if it could not be told, for the reason given."""
    power_uncertainty_w: float | None = None
    """Half-width of the 95 % interval, by how much power moved in and between looks included."""
    confirmed: bool = False
    """Known from an earlier experiment of the run, and seen to hold still."""
    reason: str


class MeasurementMarks(Mark):
    """All that one call of ``energy.measure`` marked."""

    name: str
    """``workload`` for the experiment's own, else the caller's name for it."""
    kind: Literal["workload", "callable", "window"]
    warm_up: WarmUp | None
    windows: tuple[WindowMark, ...]
    idle: Idle | None = None
    """What the devices drew before; set by the supervisor."""
    load_end_ns: int
    """Until when the load kept running after the last window."""
    read_until_ns: int | None = None
    """Readings that ended later are not used, so that the figures can be derived again from
    a trace that went on; set by the supervisor, ``None`` uses all."""
    model: ModelShape | None = None
    """What the engine said of the loaded model, for the floor; set by the supervisor."""
    phases: PhaseChoice = "auto"
    """How prefill and decode were to be told apart."""
    traffic: TrafficConfig | None = None
    """How requests were to come; ``None`` if they came as batches."""
    differences: tuple[str, ...] = ()
    """What took another effect than was asked of the engine; set by the supervisor."""
