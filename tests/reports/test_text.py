from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.reports.labels import shortened
from pytest_llem.reports.text import (
    clean,
    cut_end,
    cut_middle,
    display_width,
    head,
    pad,
    tail,
    wrapped,
)

any_text = st.text(max_size=60)
shown_text = any_text.map(lambda text: clean(text, unicode=True))


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("语言", 4), ("e\u0301", 1), ("a±b…", 4), ("", 0), ("ｆｕｌｌ", 8)],  # noqa: RUF001 -- wide letters
)
def test_width_is_counted_in_columns(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\u202eright to left", "\\u202eright to left"),
        ("语言 ± µ", "语言 ± µ"),
        ("\ud800", "\\ud800"),
    ],
)
def test_nothing_that_moves_a_cursor_is_shown(text: str, cleaned: str) -> None:
    assert clean(text, unicode=True) == cleaned


def test_ascii_spells_signs_out_and_escapes_the_rest() -> None:
    assert clean("5 ± 1 µJ → 4 × 2 – …", unicode=False) == "5 +- 1 uJ -> 4 x 2 - ..."  # noqa: RUF001 -- the signs themselves
    assert clean("语", unicode=False) == "\\u8bed"


@given(any_text)
def test_cleaned_text_can_be_encoded_and_stays_on_its_line(text: str) -> None:
    clean(text, unicode=True).encode()
    ascii_only = clean(text, unicode=False)
    assert ascii_only.isascii()
    assert not ascii_only or ascii_only.isprintable()


@given(shown_text, st.integers(0, 70), st.sampled_from(["…", "..."]))
def test_cut_text_fits_and_says_that_it_was_cut(text: str, width: int, ellipsis: str) -> None:
    for cut in (cut_end(text, width, ellipsis), cut_middle(text, width, ellipsis)):
        assert display_width(cut) <= width
        assert cut == text or cut == head(ellipsis, width) or ellipsis in cut


@given(shown_text, st.integers(0, 70))
def test_head_and_tail_are_the_longest_that_fit(text: str, width: int) -> None:
    start, end = head(text, width), tail(text, width)
    assert text.startswith(start)
    assert text.endswith(end)
    for part, longer in ((start, text[: len(start) + 1]), (end, text[-len(end) - 1 :])):
        assert display_width(part) <= width
        assert part == text or display_width(longer) > width


@given(shown_text, st.integers(0, 70), st.booleans())
def test_padded_text_takes_the_width(text: str, width: int, right: bool) -> None:
    padded = pad(text, width, right=right)
    assert display_width(padded) == max(width, display_width(text))


@given(shown_text, st.integers(2, 70))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    lines = wrapped(text, width, indent="    ")
    assert all(display_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_wrapped_lines_start_as_asked() -> None:
    lines = wrapped("one two three", 10, first="note: ", indent="  ")
    assert lines == ["note: one", "  two", "  three"]


def test_labels_that_fit_are_left_alone() -> None:
    assert shortened(["float32-1", "bfloat16-1"], 10, "…") == ["float32-1", "bfloat16-1"]


def test_labels_lose_first_what_they_share() -> None:
    labels = ["dtype=float32-batch_size=1-seed=0", "dtype=float32-batch_size=8-seed=0"]
    assert shortened(labels, 24, "…") == ["…batch_size=1-seed=0", "…batch_size=8-seed=0"]
    assert shortened(labels, 12, "…") == ["…ze=1-seed=0", "…ze=8-seed=0"]
    assert shortened(labels, 9, "…") == ["…1-seed=0", "…8-seed=0"]
    assert shortened(labels, 3, "…") == ["…1…", "…8…"]


def test_labels_that_would_look_the_same_are_numbered() -> None:
    labels = ["aaaaa1aaaaa", "aaaaa2aaaaa", "c"]
    assert shortened(labels, 5, "…") == ["a…a#1", "a…a#2", "c"]


@given(
    st.lists(st.text("abc-=语", min_size=1, max_size=40), unique=True, max_size=30),
    st.integers(6, 40),
)
def test_different_labels_never_look_the_same(labels: list[str], width: int) -> None:
    cut = shortened(labels, width, "…")
    assert len(set(cut)) == len(labels)
    assert all(display_width(label) <= width for label in cut)
