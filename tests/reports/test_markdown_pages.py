"""Pages keep their limit, and say what is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.reports.markdown.pages import Block, page

TEXTS = st.text(alphabet="ab é漢🙂", min_size=1, max_size=30).map(lambda text: f"x{text}".strip())
BLOCKS = st.lists(
    st.builds(
        Block,
        head=TEXTS,
        items=st.lists(TEXTS.map(lambda text: f"item {text}"), max_size=8).map(tuple),
        tail=st.sampled_from(["", "tail"]),
        remark=st.just("{} of {all} left out"),
        turn=st.integers(0, 3),
    ),
    max_size=5,
)


@given(BLOCKS, st.integers(0, 600))
def test_no_page_is_larger_than_its_limit(blocks: list[Block], limit: int) -> None:
    assert len(page(blocks, limit).encode()) <= limit


@given(BLOCKS)
def test_with_room_all_is_there_in_order(blocks: list[Block]) -> None:
    written = page(blocks, 100_000)
    assert "left out" not in written
    at = 0
    for block in blocks:
        for part in (block.head, *block.items):
            at = written.index(part, at) + len(part)


@given(BLOCKS, st.integers(100, 600))
def test_what_is_left_out_is_said_and_counted(blocks: list[Block], limit: int) -> None:
    written = page(blocks, limit)
    kept = sum(line.startswith("item ") for line in written.splitlines())
    said = [line.split() for line in written.splitlines() if line.endswith("left out")]
    shown = [block for block in blocks if sum(b.least for b in blocks) <= limit]
    if shown:
        assert kept + sum(int(words[0]) for words in said) == sum(len(b.items) for b in blocks)


def test_what_has_the_first_turn_is_kept_longest() -> None:
    least = Block("others", [f"other {n}" for n in range(50)], remark="{} others", turn=2)
    most = Block("worst", [f"worst {n}" for n in range(10)], remark="{} worst", turn=0)
    written = page([Block("title"), least, most], 300)
    assert "worst 9" in written
    assert "others" in written
    assert "other 49" not in written
