"""Weights from a hash: integers all the way, so that every machine gets the same bytes."""

from __future__ import annotations

import hashlib

BIAS = 127
ONE = 0x3F80


def bfloat16_bits(numerator: int, exponent: int) -> int:
    """Bit pattern of ``numerator / 2**exponent`` in bfloat16.

    A sign bit, eight bits of exponent with a bias of 127, seven bits of
    fraction: the upper half of an IEEE 754 binary32. A numerator of at most
    eight bits other than zero is represented exactly.
    """
    magnitude = abs(numerator)
    leading = magnitude.bit_length() - 1
    fraction = (magnitude << (7 - leading)) & 0x7F
    return (numerator < 0) << 15 | (BIAS + leading - exponent) << 7 | fraction


def hashed_weights(seed: str, count: int, exponent: int) -> bytes:
    """*count* little-endian bfloat16 numbers ``(2b - 255) / 2**exponent``.

    The ``b`` are the bytes of SHAKE128 (FIPS 202) over *seed*: uniform on 0 to
    255, so the weights are symmetric about zero and have a standard deviation
    of 147.8 / 2**exponent.
    """
    patterns = [bfloat16_bits(2 * byte - 255, exponent) for byte in range(256)]
    drawn = hashlib.shake_128(seed.encode()).digest(count)
    weights = bytearray(2 * count)
    weights[0::2] = drawn.translate(bytes(bits & 0xFF for bits in patterns))
    weights[1::2] = drawn.translate(bytes(bits >> 8 for bits in patterns))
    return bytes(weights)


def ones(count: int) -> bytes:
    """*count* little-endian bfloat16 ones."""
    return ONE.to_bytes(2, "little") * count
