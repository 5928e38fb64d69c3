"""Traffic: how requests come to a server, and what counts as served well."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from pytest_llem.config.model import Model

SERVER = "openai"
"""The engine to which requests come one by one, as a server."""


class TrafficConfig(Model):
    """Requests that come one by one, rather than as batches.

    Closed loop: so many clients, each asking again once it was answered. Open loop: requests
    come at a rate, whether or not those before them were answered.
    """

    concurrency: int | None = Field(default=None, ge=1, le=100_000)
    """Clients of the closed loop; ``None`` takes ``batch_size``."""
    rate_per_s: float | None = Field(default=None, gt=0, le=1_000_000)
    """Requests per second of the open loop; ``None`` is a closed loop."""
    burstiness: float = Field(default=1.0, ge=0.01, le=1_000_000)
    """Shape of the gamma distribution of the times between requests of the open loop: 1 is
    Poisson, less is burstier, more is more even."""
    slo_ttft_s: float | None = Field(default=None, gt=0)
    """Most seconds to the first token for a request to count in the goodput."""
    slo_itl_s: float | None = Field(default=None, gt=0)
    """Most seconds a token after the first one, as a request's mean, to count in the goodput."""
    slo_e2e_s: float | None = Field(default=None, gt=0)
    """Most seconds to the last token for a request to count in the goodput."""

    @model_validator(mode="after")
    def _one_loop(self) -> Self:
        if self.concurrency is not None and self.rate_per_s is not None:
            raise ValueError(
                "give concurrency for a closed loop or rate_per_s for an open one, not both: "
                "an open loop does not wait for answers."
            )
        return self

    def said(self, batch_size: int) -> str:
        """The loop in words, of an experiment of this *batch_size*."""
        if self.rate_per_s is None:
            clients = self.concurrency or batch_size
            return f"a closed loop of {clients} client{'s' * (clients != 1)}"
        arrivals = "Poisson" if self.burstiness == 1 else f"gamma({self.burstiness:g})"
        return f"an open loop at {self.rate_per_s:g} a second, {arrivals} arrivals"

    @property
    def has_slo(self) -> bool:
        """Whether anything says what served well means."""
        return any(one is not None for one in (self.slo_ttft_s, self.slo_itl_s, self.slo_e2e_s))
