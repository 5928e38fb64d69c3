"""Values as text that a page can hold, whatever is in them."""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any

_LEVEL = 4
_HARMFUL = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def data_block(value: Any) -> str:
    """*value* as JSON for a ``script`` element that is never run: it cannot end the element.

    ``</script>`` and ``<!--`` need a ``<``, of which none is left: in JSON such a sign occurs in
    strings only, where an escape stands for it.
    """
    text = plain_json(value)
    for sign, escape in _HARMFUL.items():
        text = text.replace(sign, escape)
    return text


def packed(value: Any, **texts: str) -> str:
    """*value* as JSON, deflated (RFC 1950), in base64: unpacked once somebody looks.

    Args:
        value: a mapping.
        texts: further members of it that are JSON already.
    """
    members = "".join(f',"{name}":{text}' for name, text in texts.items())
    whole = f"{plain_json(value)[:-1]}{members}}}" if texts else plain_json(value)
    return base64.b64encode(zlib.compress(whole.encode(), _LEVEL)).decode()


def plain_json(value: Any) -> str:
    """*value* as JSON in ASCII without spaces; half surrogates stay escaped.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def finite(value: float | None) -> float | None:
    """*value*, or ``None`` where JSON could not hold it."""
    return value if value is not None and math.isfinite(value) else None
