"""Several meters at once: the first is the headline, the others are read beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.devices.selection import choose_meter
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.devices.selection import MeterChoice, MeterRequest


def choose_meters(request: MeterRequest) -> tuple[MeterChoice, ...]:
    """The meters that a request names, with commas between them, in its order.

    ``auto`` among others stands for the best one present, and is dropped if that is named too.

    Raises:
        ConfigError: a meter is unknown, empty or named twice.
        MeterError: one of them has nothing to read here, or an estimate will not do.
    """
    names = [name.strip() for name in request.name.split(",")]
    if "" in names:
        raise ConfigError(
            f"{request.name!r} names a meter too few. Write names with commas between them, such "
            "as nvml,rapl."
        )
    kinds = [name.partition(":")[0] for name in names]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        raise ConfigError(f"the meter {twice[0]!r} is named twice. Name each meter once.")
    chosen: dict[str, MeterChoice] = {}
    for name in names:
        choice = choose_meter(replace(request, name=name))
        chosen.setdefault(choice.name, choice)
    return tuple(chosen.values())


def described(choices: Sequence[MeterChoice]) -> tuple[str, str]:
    """Names and reasons of meters that are read together, each as one text."""
    why = "; ".join(choice.why for choice in choices)
    return " and ".join(choice.name for choice in choices), why
