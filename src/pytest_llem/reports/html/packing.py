"""Values as text that a page can hold, whatever is in them."""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEVEL = 6
_HARMLESS = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def data_block(value: Any) -> str:
    """*value* as JSON for a ``script`` element that is never run: it cannot end the element.

    ``</script>`` and ``<!--`` need a ``<``, of which none is left: in JSON such a sign occurs in
    strings only, where an escape stands for it.
    """
    return plain_json(value).translate(_HARMLESS)


def packed(value: Any) -> str:
    """*value* as JSON, deflated (RFC 1950), in base64: unpacked once somebody looks."""
    return base64.b64encode(zlib.compress(plain_json(value).encode(), _LEVEL)).decode()


def plain_json(value: Any) -> str:
    """*value* as JSON in ASCII without spaces; half surrogates stay escaped.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def finite(value: float | None) -> float | None:
    """*value*, or ``None`` where JSON could not hold it."""
    return value if value is not None and math.isfinite(value) else None


def steps(values: Sequence[float | None], scale: float) -> list[int | None]:
    """*values* times *scale* in whole numbers, each as its step from the known one before.

    Steps are small numbers, which deflate well; ``None`` stays.
    """
    found: list[int | None] = []
    before = 0
    for value in values:
        if value is None:
            found.append(None)
            continue
        now = round(value * scale)
        found.append(now - before)
        before = now
    return found
