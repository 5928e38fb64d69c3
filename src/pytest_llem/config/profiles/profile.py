"""A system profile: measurement defaults of a machine, and what its floor is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, PrivateAttr

from pytest_llem.config.documents.document import Document
from pytest_llem.config.layers.fields import given_in
from pytest_llem.config.model import Model

if TYPE_CHECKING:
    from pytest_llem.config.layers.layer import Given

Positive = Annotated[float, Field(gt=0)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
QUICK = ConfigDict(use_attribute_docstrings=False)
"""Each session reads a profile, and reading the docstrings takes longer than that."""
REFRESHES = 10
"""Of the counter in a window: raw readings at its ends are then off by a tenth of it at most."""


class FloorConstants(Model):
    """What the floor of an accelerator's energy is computed from; ``None`` is not published."""

    model_config = QUICK

    bandwidth_bytes_per_s: Positive | None = None
    """Of its memory."""
    flop_per_s: dict[str, Positive] = Field(default_factory=dict)
    """Peak of dense arithmetic by data type, tensor cores where there are any for it."""
    memory_pj_per_bit: Positive | None = None
    """Energy of a bit read from memory."""
    on_chip_bytes: int | None = Field(default=None, ge=0)
    """L2 cache, register files, and L1 with shared memory, together: what a chip could at most
    keep from one step to the next."""
    static_power_w: Positive | None = None
    """Power of a card that holds a CUDA context and does nothing."""


class Profile(Model):
    """What is known of a machine beforehand; ``None`` is unknown."""

    model_config = QUICK

    name: str = Field(default="default", pattern=NAME)
    """The file's name, without its ending."""
    title: str = ""
    """The machine in words."""
    devices: tuple[str, ...] = ()
    """Names of its accelerators, as NVML or the vendor gives them; ``*`` and ``?`` as in file
    names."""
    refresh_period_s: Positive | None = None
    """How often the energy counter is expected to be new, in seconds."""
    power_limit_w: Positive | None = None
    """Thermal design power of one accelerator, its limit unless another one is set."""
    memory_bytes: int | None = Field(default=None, gt=0)
    """Memory of one accelerator, for plans of machines that are not here."""
    tolerance: str | None = None
    """Tolerance of a gate that names none, such as ``5%``."""
    measurement: dict[str, Any] = Field(default_factory=dict)
    """Defaults of the section ``measurement``; a profile never says what is measured."""
    floor: FloorConstants = FloorConstants()
    sources: dict[str, str] = Field(default_factory=dict)
    """Where the figures come from, by field."""

    _document: Document = PrivateAttr(default=Document("", {}))

    @property
    def least_window_s(self) -> float | None:
        """The shortest window that has ten refreshes; ``None`` if their period is unknown."""
        return None if self.refresh_period_s is None else REFRESHES * self.refresh_period_s

    def given(self) -> list[Given]:
        """Its layer.

        Raises:
            ConfigError: a field of ``measurement`` cannot be as it says.
        """
        document = self._document
        only = {"measurement": self.measurement} if self.measurement else {}
        return given_in(Document(document.file, only, document.places), "profile")
