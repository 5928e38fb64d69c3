"""From what a test hands over to a recorded figure: one number, or the mean of its items."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.naming import MOST, NAME, QUALITY, UNIT
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llem.energy.recorded import Recorded

HIGHER = frozenset(
    {
        *("acc", "acc_norm", "accuracy", "bleu", "chrf", "exact_match", "f1", "map", "mcc"),
        *("meteor", "ndcg", "pass_rate", "precision", "recall", "rouge", "score", "win_rate"),
    }
)
LOWER = frozenset(
    {
        *("bits_per_byte", "brier_score", "byte_perplexity", "cer", "error_rate", "errors", "loss"),
        *("mae", "mse", "perplexity", "rmse", "ter", "wer", "word_perplexity"),
    }
)
"""Names of which everybody knows what is better, most of them as EleutherAI's
lm-evaluation-harness has them (``lm_eval/api/metrics.py``)."""


def recording(
    name: Any,
    value: Any,
    unit: Any = "",
    higher_is_better: Any = None,
    taken: Collection[str] = (),
) -> Recorded:
    """The figure that :meth:`~pytest_llem.measure.instrument.Energy.record` is given.

    Args:
        name: of the figure; ``quality.`` in front of it may be written or left out.
        value: a number, or an iterable of numbers: one an item.
        unit: what the figure is in.
        higher_is_better: ``None`` leaves that to the name.
        taken: names that were recorded before.

    Raises:
        ConfigError: one of them cannot be.
    """
    from pytest_llem.energy.recorded import Recorded

    own = _named(name, taken)
    if not (isinstance(unit, str) and re.fullmatch(UNIT, unit)):
        raise ConfigError(
            f"energy.record({own!r}, …): unit={unit!r} is no unit. Write a short one without "
            "spaces and digits, such as '%' or 'ms', or leave it out."
        )
    if not (higher_is_better is None or isinstance(higher_is_better, bool)):
        raise ConfigError(
            f"energy.record({own!r}, …): higher_is_better={higher_is_better!r} is neither True nor False."
        )
    direction = _direction(own) if higher_is_better is None else higher_is_better
    figures = _figures(own, value)
    if unit == "%" and figures.get("share"):
        raise ConfigError(
            f"energy.record({own!r}, …): unit='%', but every item is 0 or 1, so that the figure is a share. "
            "Leave the unit out; rules may be written in percent all the same."
        )
    return Recorded(name=own, unit=unit, higher_is_better=direction, **figures)


def _named(name: Any, taken: Collection[str]) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"energy.record({name!r}, …): a name is a text, such as 'accuracy'.")
    own = name.removeprefix(QUALITY)
    if not re.fullmatch(NAME, own):
        raise ConfigError(
            f"energy.record({name!r}, …): a name has letters, digits, '_', '-' and '.', begins with a "
            "letter, and is no longer than 100 characters, so that rules can be about it: "
            "pass_at_1 rather than pass@1."
        )
    if own in taken:
        raise ConfigError(
            f"this test already recorded {own!r}. Give the second figure a name of its own, or record "
            "all values in one go, as a list."
        )
    if len(taken) >= MOST:
        raise ConfigError(
            f"this test recorded {MOST} figures already. Record lists of items rather than each item."
        )
    return own


def _direction(name: str) -> bool | None:
    """What is better of a figure so called, by the last part of its name."""
    last = name.lower().rpartition(".")[2]
    if last in HIGHER or last.startswith(("pass_at_", "rouge")):
        return True
    return False if last in LOWER else None


def _figures(name: str, value: Any) -> dict[str, Any]:
    """A number as it is; of items the mean, its standard error, and how many they are."""
    value = _plain(name, value)
    if isinstance(value, Mapping):
        raise ConfigError(
            f"energy.record({name!r}, …) got a mapping. Record each of its values under a name of "
            f"its own, such as {name}.{next(iter(value), 'part')}."
        )
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return {"value": _number(name, value)}
    items = [_number(name, _plain(name, item), place) for place, item in enumerate(value)]
    if not items:
        raise ConfigError(
            f"energy.record({name!r}, …) got no values. Record nothing where nothing is known."
        )
    return _summed_up(name, items)


def _plain(name: str, value: Any) -> Any:
    """What arrays and tensors hold, as numbers and lists of Python."""
    convert = getattr(value, "tolist", None)
    if not callable(convert):
        return value
    try:
        return convert()
    except Exception as error:  # of any library
        raise ConfigError(
            f"energy.record({name!r}, …): {type(value).__name__} cannot be made a list ({error})."
        ) from error


def _number(name: str, value: Any, place: int | None = None) -> float:
    where = "" if place is None else f", item {place}"
    if value is None or isinstance(value, str | bytes | complex):
        return _refuse(name, where, value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _refuse(name, where, value)
    if not math.isfinite(number):
        raise ConfigError(
            f"energy.record({name!r}, …){where}: {number!r} is no result. Find out why, or leave out "
            "what is not known."
        )
    return number


def _refuse(name: str, where: str, value: object) -> float:
    said = repr(value)
    shown = said if len(said) <= 60 else f"{said[:60]}…"  # noqa: PLR2004 - a line
    raise ConfigError(
        f"energy.record({name!r}, …){where}: {shown} is no number. Record a number, or a flat list "
        "of numbers, one an item."
    )


def _summed_up(name: str, items: list[float]) -> dict[str, Any]:
    try:
        mean = math.fsum(items) / len(items)
        squares = math.fsum((item - mean) ** 2 for item in items)
    except OverflowError:
        mean = squares = math.inf
    if not math.isfinite(mean) or not math.isfinite(squares):
        raise ConfigError(
            f"energy.record({name!r}, …): the values are too large to be added. Record them in a larger unit."
        )
    count = len(items)
    share = all(item in {0.0, 1.0} for item in items)
    error: float | None = None
    if share:
        error = _error_of_share(math.fsum(items), count)
    elif count > 1:
        error = math.sqrt(squares / (count - 1) / count)
    return {"value": mean, "standard_error": error, "items": count, "share": share}


def _error_of_share(right: float, count: int) -> float:
    """Standard error of a share of *count* items.

    One success and one failure are added to what was seen, so that all right does not mean that
    nothing could be wrong (Agresti and Caffo 2000, The American Statistician 54, 280).
    """
    return math.sqrt((right + 1) * (count - right + 1) / (count + 2) ** 3)
