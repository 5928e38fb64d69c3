from __future__ import annotations

import enum
import subprocess
import sys
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.plan.tokens import distinct, raw_token, raw_tokens, token_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(JSON)
def test_a_token_is_printable_ascii_without_spaces(value: object) -> None:
    token = token_of(value)
    assert token
    assert token.isascii()
    assert token.isprintable()
    assert " " not in token


@given(st.text(max_size=15), st.text(max_size=15))
def test_different_texts_have_different_tokens(one: str, other: str) -> None:
    assert (token_of(one) == token_of(other)) == (one == other) or "~" in {one, other}


def test_floats_read_in_their_shortest_form() -> None:
    assert token_of(0.1) == "0.1"
    assert token_of(1e-3) == "0.001"
    assert token_of(2.0) == "2.0"


def test_a_long_text_is_shortened_to_its_start_and_a_digest() -> None:
    token = token_of("org/" + "x" * 200)
    assert len(token) == 60
    assert token.startswith("org/x")
    assert token != token_of("org/" + "x" * 201)


def test_key_order_does_not_matter() -> None:
    assert token_of({"a": 1, "b": 2}) == token_of({"b": 2, "a": 1})


class Colour(enum.Enum):
    RED = object()


def test_an_object_is_numbered_and_never_printed() -> None:
    assert raw_token(object(), "load", 3) == "load3"
    assert raw_token({"a", "b"}, "load", 0) == "load0"
    assert raw_token(Colour.RED, "load", 0) == "Colour.RED"
    assert raw_token(test_an_object_is_numbered_and_never_printed, "load", 0).startswith("test_an")


def test_equal_values_share_a_token_and_others_do_not() -> None:
    assert raw_tokens(["a", "b", "a"], "x") == ["a", "b", "a"]
    assert raw_tokens([1, True, 1.0], "x") == ["1", "True", "1.0"]
    first, second = lambda: 1, lambda: 2
    assert len(set(raw_tokens([first, second], "x"))) == 2


TOKENS = st.lists(st.text(alphabet="ab-~", min_size=1, max_size=4), min_size=1, max_size=4)


@given(TOKENS, TOKENS, TOKENS)
def test_joined_tokens_tell_every_combination_apart(
    one: list[str], two: list[str], three: list[str]
) -> None:
    axes = [distinct(one), distinct(two), distinct(three)]
    ids = ["-".join(parts) for parts in product(*axes)]
    assert len(set(ids)) == len(ids)


def test_tokens_are_the_same_in_every_process() -> None:
    code = (
        "from pytest_llem.plan.tokens import token_of\n"
        "print(token_of({'b': [1.5, None], 'a': 'x'}), token_of('m\\xf6del'), token_of('y' * 99))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
