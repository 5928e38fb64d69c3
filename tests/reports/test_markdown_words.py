"""Foreign words in Markdown are shown and do nothing, whatever they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.markdown import READER, lines, tables
from pytest_llem.reports.markdown.words import LONGEST_NAME, code, fenced, prose
from pytest_llem.reports.text import clean

HOSTILE = (
    *("a|b", "a\\|b", "\\", "\\\\|", "`", "``", "a`b``c", "`|`", "|", "||", "<b>", "</details>"),
    *(
        "<!-- -->",
        "-->",
        "&amp;",
        "&#64;",
        "@team",
        "a@b.example",
        "#1",
        "o/r#12",
        "GH-3",
        "[x](y)",
    ),
    *("http://x.example", "www.x.example", "# head", "- item", "1. item", "---", "> quote", "*a*"),
    *(
        "_a_",
        "~~a~~",
        "~a~",
        "$a$",
        ":warning:",
        "a\nb",
        "a\r\n\r\nb",
        "\u202eabc",
        "\ufeff",
        "![i](u)",
    ),
    *(
        "<script>alert(1)</script>",
        "    code",
        "\tcode",
        "| --- |",
        "===",
        "[^1]",
        "\u200b@x",
        "+ x",
    ),
)
PIECES = st.sampled_from(
    [*HOSTILE, "test_it.py::test_a", "[", "]", " ", "ü", "漢", "🙂", "1", "e-5"]
)
FOREIGN = st.one_of(
    st.lists(PIECES, max_size=6).map("".join), st.text(max_size=40), st.sampled_from(HOSTILE)
)
LINKED = re.compile(r"[@#]\w|\bGH-\d|://|\bwww\.", re.IGNORECASE)
"""What GitHub turns into links once the page is made."""


def seen(words: str) -> str:
    """What a terminal shows of *words*, and a page has to, but for how many spaces."""
    return " ".join(clean(words, unicode=True).split())


def spaced(text: str) -> str:
    return " ".join(text.split())


@given(FOREIGN)
def test_prose_is_shown_as_it_is_and_is_neither_markup_nor_link(words: str) -> None:
    (line,) = lines(f"about {prose(words)}")
    assert spaced(line.text) == spaced(f"about {seen(words)}")
    assert not line.tags
    assert not line.links
    assert not any(LINKED.search(piece) for piece in line.pieces)


@given(FOREIGN.filter(lambda words: seen(words) != ""))
def test_prose_begins_a_paragraph_whatever_it_begins_with(words: str) -> None:
    kinds = [token.type for token in READER.parse(prose(words))]
    assert kinds == ["paragraph_open", "inline", "paragraph_close"]


@given(FOREIGN)
def test_code_is_shown_as_it_is_and_nothing_of_it_is_outside(words: str) -> None:
    (line,) = lines(f"about {code(words)} end")
    assert spaced(line.text) == spaced(f"about {seen(words) or '-'} end")
    assert "".join(line.pieces) == "about  end" or not seen(words)
    assert not line.tags


@given(FOREIGN, FOREIGN, FOREIGN)
def test_a_table_has_the_same_cells_whatever_stands_in_them(a: str, b: str, c: str) -> None:
    row = f"| {code(a, in_cell=True)} | {prose(b) or '-'} | [{code(c, in_cell=True)}](http://x/) |"
    ((head, found),) = tables(f"| a | b | c |\n| - | - | - |\n{row}\n")
    assert len(head) == len(found) == 3
    expected = (seen(a) or "-", seen(b) or "-", seen(c) or "-")
    assert tuple(spaced(cell.text) for cell in found) == tuple(map(spaced, expected))
    assert found[2].links == ["http://x/"]
    assert not any(cell.tags for cell in found)


@pytest.mark.parametrize("words", HOSTILE)
def test_a_pipe_that_a_backslash_precedes_ends_no_cell_in_either_reading(words: str) -> None:
    """GitHub takes a backslash and what follows for a pair; others look only at the pipe."""
    cell = code(f"{words}|", in_cell=True)
    pairs = re.sub(r"\\[|!\"#$%&'()*+,./:;<=>?@\[\\\]^_`{}~-]", "", cell)
    assert "|" not in pairs
    assert not re.search(r"(?<!\\)\|", cell)


@given(st.lists(FOREIGN, min_size=1, max_size=4).map("\n".join))
def test_a_block_of_code_ends_where_it_ends(words: str) -> None:
    tokens = READER.parse(f"{fenced(words, 'console')}\n\nafter\n")
    assert [token.type for token in tokens] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert tokens[0].info == "console"


def test_long_names_keep_beginning_and_end() -> None:
    written = code("a" * 500 + "b" * 500)
    assert len(written) == LONGEST_NAME + 2
    assert written.startswith("`aaa")
    assert "…" in written
    assert written.endswith("bbb`")
