"""The baseline file: what it looks like, and what is said when it is damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.json_schema import FILE_NAME, json_schema
from pytest_llem.baselines.reading import entry_texts, read_baselines
from pytest_llem.baselines.rendering import WIDTH, render
from pytest_llem.baselines.store import BaselineStore
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]

ROOT = Path(__file__).parents[2]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
NAMES = st.text(max_size=9)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def written(tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment) -> Path:
    """A file with the baselines of three experiments."""
    results = [make_result(config={"batch_size": size}) for size in (1, 2, 4)]
    (stored, *_) = BaselineStore(tmp_path).update(results, make_environment()).stored
    return stored.path


def test_the_schema_is_the_one_in_the_repository() -> None:
    stored = json.loads((ROOT / "schemas" / FILE_NAME).read_text(encoding="utf-8"))
    assert stored == json_schema(), "write it anew: python -m pytest_llem.baselines.json_schema"


def test_a_file_obeys_the_schema(written: Path) -> None:
    jsonschema.validate(json.loads(written.read_text(encoding="utf-8")), json_schema())


def test_a_file_is_found_by_people(written: Path, tmp_path: Path) -> None:
    expected = Path("bench/test_chat/test_chat/nvidia-h100-80gb-hbm3-x1.json")
    assert written.relative_to(tmp_path) == expected


def test_a_process_is_a_line_per_metric(written: Path) -> None:
    lines = [line.strip() for line in written.read_text(encoding="utf-8").splitlines()]
    assert '"energy_per_output_token_j": [0.4, 0.401, 0.399],' in lines
    assert '"decode.energy_per_output_token_j": [0.3],' in lines
    assert max(map(len, lines)) <= WIDTH


@given(DOCUMENTS)
def test_rendering_again_changes_nothing(value: Any) -> None:
    text = render(value)
    assert render(json.loads(text)) == text


@given(DOCUMENTS)
def test_rendering_keeps_everything_but_digits_beyond_the_sixth(value: Any) -> None:
    assert _equal(json.loads(render(value)), value)


@given(st.dictionaries(NAMES, DOCUMENTS, max_size=4))
def test_order_and_noise_in_late_digits_do_not_show(value: dict[str, Any]) -> None:
    shuffled = dict(reversed([*value.items(), ("ratio", 0.1 + 0.2)]))
    assert render(shuffled) == render({**value, "ratio": 0.3})


@given(
    entries=st.dictionaries(NAMES, st.dictionaries(NAMES, SCALARS, max_size=4), max_size=4),
    indent=st.none() | st.integers(0, 9) | st.just("\t"),
    before=st.sampled_from(["", "\n", "  \r\n\t"]),
)
def test_entries_are_taken_as_they_stand(
    entries: dict[str, Any], indent: int | str | None, before: str
) -> None:
    document = {"group": "}{", "entries": entries, "schema_version": 1}
    text = before + json.dumps(document, indent=indent, ensure_ascii=False)
    found = entry_texts(text)
    assert {key: json.loads(part) for key, part in found.items()} == entries
    assert all(part in text for part in found.values())


def _with_conflict(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(
        [*lines[:2], "<<<<<<< HEAD", *lines[2:9], "=======", ">>>>>>> main", *lines[9:]]
    )


def _with_an_entry_twice(text: str) -> str:
    key, entry = next(iter(entry_texts(text).items()))
    return text.replace('"entries": {', f'"entries": {{"{key}": {entry},', 1)


Spoil = Callable[[str], str | bytes]
DAMAGES: dict[str, tuple[Spoil, str]] = {
    "empty": (lambda text: "", ":1: the baseline is cut off"),
    "cut in the middle": (
        lambda text: text[: len(text) // 2],
        "Restore it from version control",
    ),
    "cut at the end": (lambda text: text[:-3], "is cut off"),
    "no JSON": (
        lambda text: text.replace('"entries":', '"entries"'),
        ":2: the baseline is not JSON",
    ),
    "no object": (lambda text: f"[{text}]", "holds no JSON object"),
    "merge conflict": (_with_conflict, ":3: an unresolved merge conflict"),
    "entry twice": (_with_an_entry_twice, "occurs twice"),
    "newer": (lambda text: text.replace('version": 2', 'version": 3'), "newer pytest-llem"),
    "older than any": (lambda text: text.replace('version": 2', 'version": 0'), "is 0, not 1"),
    "no version": (lambda text: text.replace("schema_version", "version"), "is null, not 1 to 2"),
    "version in words": (
        lambda text: text.replace('version": 2', 'version": "1"'),
        'is "1", not 1 to 2',
    ),
    "unknown field": (lambda text: text.replace('"label"', '"lable"'), "damaged at entries."),
    "text for a number": (
        lambda text: text.replace("0.401", '"x"'),
        "energy_per_output_token_j",
    ),
    "not finite": (lambda text: text.replace("0.401", "NaN"), "energy_per_output_token_j"),
    "endless number": (lambda text: text.replace("0.401", "9" * 5000), "is not readable"),
    "too deep": (lambda text: "[" * 100_000, "is not readable"),
    "not UTF-8": (lambda text: text.encode("utf-16"), "not UTF-8"),
    "of another group": (
        lambda text: text.replace("chat.py::", "talk.py::"),
        "holds the baselines of",
    ),
}
"""Ways to spoil a file, and what has to be said then."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_never_overwritten(
    written: Path,
    tmp_path: Path,
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    damage: str,
) -> None:
    spoil, said = DAMAGES[damage]
    spoiled = spoil(written.read_text(encoding="utf-8"))
    written.write_bytes(spoiled if isinstance(spoiled, bytes) else spoiled.encode())
    before = written.read_bytes()
    for attempt in (
        lambda: BaselineStore(tmp_path).find(make_result(), make_environment()),
        lambda: BaselineStore(tmp_path).update([make_result()], make_environment()),
    ):
        with pytest.raises(BaselineError) as told:
            attempt()
        assert str(written) in str(told.value)
        assert said in str(told.value)
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == [written.name]


@given(data=st.data())
def test_no_cut_of_a_file_gives_a_traceback(
    tmp_path_factory: pytest.TempPathFactory,
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    data: st.DataObject,
) -> None:
    directory = tmp_path_factory.mktemp("cut")
    stored = BaselineStore(directory).update([make_result()], make_environment()).stored[0]
    content = stored.path.read_bytes()
    first = data.draw(st.integers(0, len(content)))
    last = data.draw(st.integers(first, min(len(content), first + 40)))
    stored.path.write_bytes(content[:first] + content[last:])
    try:
        read_baselines(stored.path)
    except BaselineError as error:
        assert str(stored.path) in str(error)  # noqa: PT017  some cuts leave a sound file


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and not isinstance(other, bool):
        return one == pytest.approx(other, rel=1e-5, abs=0)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return type(one) is type(other) and one == other


OLD = Path(__file__).parent / "format_1"


def test_a_file_of_format_1_still_loads(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    (path,) = OLD.rglob("*.json")
    before = path.read_bytes()
    entry = BaselineStore(OLD).find(make_result(), make_environment())
    assert entry is not None
    (session,) = entry.current
    assert session.provenance is None
    samples = session.samples("workload", "energy_per_output_token_j")
    assert [sample.values for sample in samples] == [(0.4, 0.401, 0.399)] * 2
    assert path.read_bytes() == before


def test_an_update_brings_a_file_of_format_1_into_todays_format_and_loses_nothing(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    store = BaselineStore(tmp_path)
    (path,) = tmp_path.rglob("*.json")
    store.update([make_result([0.5], run_id="later")], make_environment())
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), json_schema())
    old, other = (
        store.find(make_result(config={"batch_size": size}), make_environment()) for size in (1, 2)
    )
    assert old is not None
    assert other is not None
    assert [session.run_id for session in old.sessions] == ["run-1", "later"]
    assert [session.run_id for session in other.sessions] == ["run-1"]
    text = path.read_text(encoding="utf-8")
    store.update([make_result([0.5], run_id="later")], make_environment())
    assert path.read_text(encoding="utf-8") == text
