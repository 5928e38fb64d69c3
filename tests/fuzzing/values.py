"""Values as people and programs write them: mostly near to what is known, now and then absurd."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_llem.config.leaves import FIELDS, is_section, options_of
from pytest_llem.config.study_file import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

PATHS = sorted(
    {*FIELDS}
    | {f"{name}.{option}" for name in FIELDS if is_section(name) for option in options_of(name)}
)
"""Every field that there is."""
NASTY = (
    *("", " ", "~", "-", "--", "a\0b", "a\nb", "\x1b[31m", "é", "日本", "💥", "\u202e", "\ufeff"),
    *("a" * 300, "/", ".", "..", "../" * 9, "~nobody/x", "builtin/tiny", "builtin/none", "cpu"),
    *(
        "nan",
        "inf",
        "-1",
        "0x" + "f" * 5000,
        "1e999",
        "9" * 400,
        "5%",
        "+20ms",
        "[",
        "{}",
        "*",
        "<<",
    ),
    *("*a" * 40, "((" * 40, "a-" * 40),
)
"""Texts that have broken programs before."""
LARGE = (0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 10**30)
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))
numbers = st.one_of(
    st.sampled_from(LARGE), st.integers(), st.floats(), st.sampled_from((math.inf, 1e308, 5e-324))
)
scalars: SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), numbers, texts)
OFTEN = ("model", "backend", "batch_size", "prompts", "workload.path", "transformers.extra")
"""Fields in which more can go wrong than that a number is none."""
known = st.one_of(st.sampled_from(OFTEN), st.sampled_from(PATHS))
keys = st.one_of(known, st.sampled_from(KEYS), texts)


def trees(names: SearchStrategy[str]) -> SearchStrategy[Any]:
    """Scalars, lists and mappings within each other, with *names* for keys."""
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)
        ),
        max_leaves=8,
    )


def options(section: str) -> SearchStrategy[str]:
    """Names of the options of *section*, and others."""
    return st.one_of(st.sampled_from(sorted(options_of(section))), texts)


def fields() -> SearchStrategy[dict[str, Any]]:
    """Mappings of fields, sections among them, with any values."""
    values = trees(keys)
    sections = st.one_of(
        *(
            st.tuples(st.just(name), st.dictionaries(options(name), values, max_size=3))
            for name in sorted(FIELDS)
            if is_section(name)
        )
    )
    pairs = st.one_of(st.tuples(keys, values), sections)
    return st.lists(pairs, max_size=6).map(dict)


def axes() -> SearchStrategy[dict[str, Any]]:
    """Mappings of fields to lists."""
    values = trees(keys)
    return st.dictionaries(keys, st.one_of(st.lists(values, max_size=4), values), max_size=4)


def as_toml(table: Mapping[str, Any]) -> str:
    """*table* as TOML, tables within it inline; what TOML has no word for is left out."""
    lines = (f"{json.dumps(key)} = {_toml(value)}" for key, value in _said(table))
    return "\n".join(lines)


def _said(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in table.items() if value is not None]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in _said(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value if one is not None) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return json.dumps(value)
