"""Units that rules are written in."""

from __future__ import annotations

SCALES = {
    "J": {"J": 1.0, "mJ": 1e-3, "kJ": 1e3},
    "W": {"W": 1.0, "mW": 1e-3, "kW": 1e3},
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6},
    "tokens": {"": 1.0, "tokens/s": 1.0},
    "requests": {"": 1.0, "requests/s": 1.0, "requests": 1.0, "/s": 1.0},
    "": {"": 1.0},
}
"""What a written unit is in the metric's own, by the latter up to its slash."""


def converted(amount: float, written: str, own: str) -> float | None:
    """*amount* of the unit *written* in a test's *own* unit; ``None`` if they have nothing in common.

    Nothing written is the own unit; percent are a share of what has no unit.
    """
    if written in {"", own}:
        return amount
    if written == "%" and not own:
        return amount / 100
    for scale in SCALES.values():
        if written in scale and own in scale and own:
            return amount * scale[written] / scale[own]
    return None
