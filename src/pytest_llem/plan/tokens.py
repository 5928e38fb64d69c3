"""Parts of parameter ids, made from canonical values: the same in every process."""

from __future__ import annotations

import hashlib
import json
import re
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

LONGEST = 60
_DASH = re.compile("-")
_PLAIN = frozenset("".join(map(chr, range(0x21, 0x7F)))) - frozenset("%\\")


def token_of(value: Any) -> str:
    """Printable ASCII without spaces for a value of JSON's types.

    Numbers, booleans and ``None`` read as in Python (floats in their shortest
    form), texts as they are with everything unusual percent-encoded, and longer
    or nested values are shortened to a digest of their canonical JSON.
    """
    if isinstance(value, str):
        return _shortened("".join(c if c in _PLAIN else _encoded(c) for c in value)) or "~"
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):  # subclasses have a repr of their own
        return int.__repr__(value) if isinstance(value, int) else float.__repr__(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return _digest(text)


def raw_token(value: object, name: str, index: int) -> str:
    """A token for any object: of its value or name where it has one, else *name* and *index*.

    Never the ``repr`` of an object, which may hold an address, nor of a set,
    whose order differs from process to process.
    """
    if isinstance(value, Enum):
        return token_of(str(value))
    if value is None or isinstance(value, str | int | float):
        return token_of(value)
    called = getattr(value, "__name__", None)
    return token_of(called) if isinstance(called, str) else f"{name}{index}"


def raw_tokens(values: Sequence[object], name: str) -> list[str]:
    """A token for each of *values*: equal for equal values, different for others."""
    keys = [_key(value) for value in values]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    unique = sorted(first.values())
    tokens = distinct([raw_token(values[index], name, index) for index in unique])
    token_at = dict(zip(unique, tokens, strict=True))
    return [token_at[first[key]] for key in keys]


def _key(value: object) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return type(value), value


def distinct(tokens: Sequence[str]) -> list[str]:
    """Tokens of one axis, made different from each other.

    Also no token followed by a dash begins another, so that tokens joined by
    dashes never read the same for different points.
    """
    known = set(tokens)
    if any(token[: dash.start()] in known for token in known for dash in _DASH.finditer(token)):
        tokens = [token.replace("-", "_") for token in tokens]
    taken: set[str] = set()
    counts: dict[str, int] = {}
    return [_unused(token, taken, counts) for token in tokens]


def _unused(token: str, taken: set[str], counts: dict[str, int]) -> str:
    candidate, count = token, counts.get(token, 1)
    while candidate in taken:
        count += 1
        candidate = f"{token}~{count}"
    taken.add(candidate)
    counts[token] = count
    return candidate


def _encoded(character: str) -> str:
    encoded = character.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in encoded)


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 9]}~{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
