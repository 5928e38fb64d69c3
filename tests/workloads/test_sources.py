"""Workloads of files, drawn lengths and chats: exact, seeded, and plain about what is wrong."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from dataclasses import dataclass
from itertools import islice, pairwise
from statistics import fmean
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.errors import ConfigError, MissingExtraError
from pytest_llem.workloads.batch import (
    build_batches,
    build_requests,
    check_source,
    workload_hash,
)
from pytest_llem.workloads.chats import renewed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Letters:
    """One token a character; an exclamation mark is special."""

    vocabulary_size: int = 300
    special_token_ids: frozenset[int] = frozenset({33})

    def encode(self, text: str) -> list[int]:
        return [ord(character) % self.vocabulary_size for character in text]


def config(workload: dict[str, Any], **others: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"workload": workload, **others})


def sizes(asked: ExperimentConfig) -> list[tuple[int, int]]:
    return [
        (len(one.prompt_token_ids), one.output_tokens) for one in build_requests(asked, Letters())
    ]


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., str]:
    """Write a JSONL file; a text is a line as it is."""

    def write(*values: object) -> str:
        file = tmp_path / "prompts.jsonl"
        texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
        file.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return str(file)

    return write


def test_lengths_are_taken_in_turn() -> None:
    asked = config({"input_lengths": (3, 50), "output_lengths": (1, 2, 9)}, batch_size=5)
    assert sizes(asked) == [(3, 1), (50, 2), (3, 9), (50, 1), (3, 2)]


def test_one_list_of_lengths_leaves_the_other_side_as_it_is() -> None:
    asked = config({"output_lengths": (1, 9)}, batch_size=3, input_tokens=12)
    assert sizes(asked) == [(12, 1), (12, 9), (12, 1)]


@given(seed=st.integers(0, 2**32 - 1), sigma=st.floats(0, 1.5))
def test_drawn_lengths_keep_their_limits_and_follow_the_seed(seed: int, sigma: float) -> None:
    workload = {"lengths": "lognormal", "input_sigma": sigma, "max_tokens": 90}
    asked = config(workload, batch_size=8, input_tokens=30, output_tokens=10, seed=seed)
    found = sizes(asked)
    assert found == sizes(asked)
    assert all(1 <= tokens <= 90 for size in found for tokens in size)
    if sigma == 0:
        assert {size[0] for size in found} == {30}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_drawn_lengths_have_the_mean_and_the_spread_that_are_asked(seed: int) -> None:
    workload = {"lengths": "lognormal", "input_sigma": 0.5, "output_sigma": 0.8}
    count = 3000
    asked = config(workload, batch_size=count, input_tokens=400, output_tokens=300, seed=seed)
    from pytest_llem.workloads.lengths import sizes as drawn

    found = list(islice(drawn(asked), count))
    for values, mean, sigma in (
        ([size.input_tokens for size in found], 400, 0.5),
        ([size.output_tokens for size in found], 300, 0.8),
    ):
        # Five standard errors: of the mean by the variance of a log-normal variable.
        error = mean * math.sqrt(math.exp(sigma**2) - 1) / math.sqrt(count)
        assert abs(fmean(values) - mean) < 5 * error
        logs = [math.log(value) for value in values]
        spread = math.sqrt(fmean([(one - fmean(logs)) ** 2 for one in logs[:500]]))
        assert abs(spread - sigma) < 5 * sigma / math.sqrt(2 * 500)
    inputs, outputs = ([size[side] for size in found] for side in (0, 1))
    products = fmean(
        [
            (math.log(i) - math.log(400)) * (math.log(o) - math.log(300))
            for i, o in zip(inputs, outputs, strict=True)
        ]
    )
    expected = (0.5**2 / 2) * (0.8**2 / 2)
    assert abs(products - expected) < 5 * 0.5 * 0.8 / math.sqrt(count) + 0.05


@pytest.mark.parametrize("name", ["sharegpt", "alpaca"])
def test_published_lengths_stay_within_what_their_source_keeps(name: str) -> None:
    from pytest_llem.workloads.lengths import sizes as drawn

    found = list(islice(drawn(config({"lengths": name}, input_tokens=7)), 2000))
    assert all(4 <= size.input_tokens <= 1024 and size.output_tokens >= 4 for size in found)
    assert all(sum(size) <= 2048 for size in found)
    assert len(set(found)) > 500
    longer = [size.output_tokens > size.input_tokens for size in found]
    assert fmean(longer) > 0.5


@pytest.mark.parametrize("name", ["sharegpt", "alpaca"])
@pytest.mark.parametrize("sigmas", [(1.0, 1.0), (1.6, 0.9), (0.3, 2.0), (0.0, 0.05)])
def test_what_is_kept_of_published_lengths_has_the_published_means(
    name: str, sigmas: tuple[float, float]
) -> None:
    from pytest_llem.workloads.lengths import MEANS
    from pytest_llem.workloads.lengths import sizes as drawn

    asked = {"lengths": name, "input_sigma": sigmas[0], "output_sigma": sigmas[1]}
    found = list(islice(drawn(config(asked)), 4000))
    for side, mean in enumerate(MEANS[name]):
        values = [size[side] for size in found]
        spread = math.sqrt(fmean([(value - mean) ** 2 for value in values]))
        assert abs(fmean(values) - mean) < 5 * spread / math.sqrt(len(values)) + 0.5


def test_means_before_and_after_the_limits_are_each_others_inverse() -> None:
    from pytest_llem.workloads.cutting import Limits, means_before, means_kept

    limits = Limits(4, 1024, 2048)
    before = means_before((161.31, 337.99), (1.0, 1.0), limits)
    assert before == pytest.approx((179.398922, 385.734918), rel=1e-6)
    assert means_kept(before, (1.0, 1.0), limits) == pytest.approx((161.31, 337.99), rel=1e-6)


def test_limits_that_hardly_anything_fits_are_told() -> None:
    asked = config({"lengths": "lognormal", "max_tokens": 1}, input_tokens=9_000_000)
    with pytest.raises(ConfigError, match=r"workload\.max_tokens"):
        sizes(asked)


def test_lines_are_cut_or_repeated_to_the_lengths_that_are_asked(
    lines: Callable[..., str],
) -> None:
    path = lines({"prompt": "abc"}, "", {"prompt": "defghi", "output_tokens": 2})
    asked = config({"source": "jsonl", "path": path}, batch_size=3, input_tokens=4, output_tokens=7)
    found = build_requests(asked, Letters())
    texts = ["".join(map(chr, one.prompt_token_ids)) for one in found]
    assert texts == ["abca", "defg", "abca"]
    assert {one.output_tokens for one in found} == {7}


def test_lines_may_keep_their_own_lengths(lines: Callable[..., str]) -> None:
    path = lines({"q": "abc", "n": 3}, {"q": "defghi"})
    workload = {
        "source": "jsonl",
        "path": path,
        "field": "q",
        "output_field": "n",
        "lengths": "own",
    }
    assert sizes(config(workload, batch_size=3, output_tokens=8)) == [(3, 3), (6, 8), (3, 3)]


def test_lines_are_shuffled_by_the_seed(lines: Callable[..., str]) -> None:
    path = lines(*({"prompt": chr(97 + number) * 9} for number in range(20)))
    workload = {"source": "jsonl", "path": path, "shuffle": True}
    orders = [
        [one.prompt_token_ids[0] for one in build_requests(asked, Letters())]
        for asked in (
            config(workload, batch_size=20),
            config(workload, batch_size=20),
            config(workload, batch_size=20, seed=1),
        )
    ]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) != orders[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: is no JSON"),
        ("[1]", "line 2: must be a JSON object, not list"),
        ('{"prompt": "\\ud800"}', "line 2: 'prompt' has half a character"),
        ({"text": "a"}, "line 2: needs a text in 'prompt'; its fields are: 'text'"),
        ({"prompt": 3}, "line 2: needs a text in 'prompt'"),
        ({"prompt": ""}, "line 2: needs a text in 'prompt'"),
        ({"prompt": "a", "output_tokens": 0}, "line 2: 'output_tokens' must be a whole number"),
        ({"prompt": "a", "output_tokens": True}, "line 2: 'output_tokens' must be a whole number"),
        ({"prompt": "!!"}, "line 2 ('!!') has no tokens"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_by_its_number(
    lines: Callable[..., str], line: object, said: str
) -> None:
    path = lines({"prompt": "fine"}, line)
    with pytest.raises(ConfigError) as error:
        sizes(config({"source": "jsonl", "path": path}, batch_size=2))
    assert f"{path}, {said}" in str(error.value)


def test_a_file_without_lines_and_one_that_is_no_text_are_told(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n\n")
    with pytest.raises(ConfigError, match="has no prompts"):
        sizes(config({"source": "jsonl", "path": str(file)}))
    file.write_bytes(b'{"prompt": "a"}\n\xff\n')
    with pytest.raises(ConfigError, match=r"line 2: is no UTF-8"):
        sizes(config({"source": "jsonl", "path": str(file)}))
    with pytest.raises(ConfigError, match=r"none\.jsonl' cannot be read"):
        sizes(config({"source": "jsonl", "path": str(tmp_path / "none.jsonl")}))


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "of-an-editor.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"prompt": "abc"}\r\n')
    asked = config({"source": "jsonl", "path": str(file), "lengths": "own"})
    assert sizes(asked) == [(3, 64)]


def test_a_workload_is_looked_at_before_a_model_is_loaded_for_it(tmp_path: Path) -> None:
    check_source(config({}))
    for workload, said in (
        ({"source": "jsnol"}, "Did you mean 'jsonl'"),
        ({"source": "jsonl", "path": str(tmp_path / "none.jsonl")}, "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_source(config(workload))


def test_a_file_must_be_the_one_that_was_planned_with(lines: Callable[..., str]) -> None:
    path = lines({"prompt": "abc"})
    with pytest.raises(ConfigError, match="is not the file that the experiment was planned with"):
        sizes(config({"source": "jsonl", "path": path, "sha256": "0" * 64}))
    with open(path, "rb") as file:  # noqa: PTH123 - a text
        sha256 = hashlib.sha256(file.read()).hexdigest()
    assert sizes(config({"source": "jsonl", "path": path, "sha256": sha256}))


def test_datasets_are_asked_for_once_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    asked = config({"source": "datasets", "dataset": "org/some"})
    with pytest.raises(MissingExtraError, match=r"pytest-llem\[datasets\]"):
        sizes(asked)
    rows = [{"prompt": "abcd", "output_tokens": 3}, {"prompt": "ef"}, {"prompt": 1}]
    calls = []
    double = ModuleType("datasets")
    double.disable_progress_bars = lambda: None  # type: ignore[attr-defined]

    def load_dataset(*arguments: Any, **options: Any) -> Any:
        calls.append((arguments, options))
        return rows

    double.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", double)
    workload = {
        "source": "datasets",
        "dataset": "org/some",
        "split": "test",
        "revision": "v1",
        "lengths": "own",
    }
    assert sizes(config(workload, batch_size=2)) == [(4, 3), (2, 64)]
    assert calls == [(("org/some", None), {"split": "test", "revision": "v1"})]
    with pytest.raises(ConfigError, match="org/some, row 2 of test: needs a text"):
        sizes(config(workload, batch_size=3))


def test_a_dataset_that_cannot_be_loaded_is_told_by_its_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class GenerationError(Exception):
        """As ``datasets`` has one."""

    def load_dataset(*_: Any, **__: Any) -> Any:
        raise GenerationError("an error occurred") from ValueError("line 3 is damaged")

    double = ModuleType("datasets")
    double.disable_progress_bars = lambda: None  # type: ignore[attr-defined]
    double.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", double)
    with pytest.raises(ConfigError, match="'org/some' cannot be loaded: line 3 is damaged"):
        sizes(config({"source": "datasets", "dataset": "org/some"}))
    with pytest.raises(ConfigError, match=r"'json' needs workload\.path"):
        sizes(config({"source": "datasets", "dataset": "json"}))


def test_an_unknown_workload_gets_the_nearest_name() -> None:
    with pytest.raises(
        ConfigError, match=r"no workload is called .jsonlines.\. Did you mean .jsonl."
    ):
        sizes(config({"source": "jsonlines"}))


@given(
    turns=st.integers(2, 4),
    new=st.none() | st.integers(1, 9),
    seed=st.integers(0, 99),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
)
def test_each_turn_repeats_the_chat_so_far(
    turns: int, new: int | None, seed: int, lengths: list[int]
) -> None:
    workload = {"turns": turns, "turn_tokens": new, "input_lengths": lengths}
    asked = config(workload, batch_size=3, output_tokens=4, seed=seed)
    batches = build_batches(asked, Letters())
    assert len(batches) == turns
    assert batches[0] == build_requests(asked, Letters())
    assert batches == build_batches(asked, Letters())
    for before, after in pairwise(batches):
        for number, (earlier, later) in enumerate(zip(before, after, strict=True)):
            prompt = earlier.prompt_token_ids
            assert later.prompt_token_ids[: len(prompt)] == prompt
            added = new or len(batches[0][number].prompt_token_ids)
            assert len(later.prompt_token_ids) == len(prompt) + 4 + added
            assert 33 not in later.prompt_token_ids
    names = [one.request_id for batch in batches for one in batch]
    assert len(set(names)) == len(names)


def test_no_two_passes_share_a_start_and_turns_of_one_do() -> None:
    ordinary = [number for number in range(40) if number != 33]
    asked = config({"turns": 2, "input_lengths": (1, 2, 12)}, batch_size=3)
    batches = build_batches(asked, Letters(vocabulary_size=40))
    passes = [renewed(batches, number, ordinary) for number in range(len(ordinary) ** 2)]
    starts = [one[0][2].prompt_token_ids[:2] for one in passes]
    assert len(set(starts)) == len(starts)
    for one in passes[:50]:
        for earlier, later in zip(*one, strict=True):
            prompt = earlier.prompt_token_ids
            assert later.prompt_token_ids[: len(prompt)] == prompt
        for batch, original in zip(one, batches, strict=True):
            assert [len(r.prompt_token_ids) for r in batch] == [
                len(r.prompt_token_ids) for r in original
            ]
    assert workload_hash(passes[0][0]) == workload_hash(renewed(batches, 0, ordinary)[0])
