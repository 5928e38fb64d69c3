"""What an HTML report is put together from."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import zipfile
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.stored_run import HOSTILE
from pytest_llem.baselines.compared import ComparedMetric, ComparedSession
from pytest_llem.reports import html as package
from pytest_llem.reports.html import assets
from pytest_llem.reports.html.content import content_of
from pytest_llem.reports.html.packing import data_block, packed
from pytest_llem.reports.html.page import page_of, policy
from pytest_llem.reports.html.report import Report, ReportedExperiment
from pytest_llem.reports.html.values import text_of
from pytest_llem.reports.quantities import number, plain_numbers
from pytest_llem.reports.terminal import summary_lines
from pytest_llem.reports.text import glyphs

CHECKOUT = Path(__file__).parents[2]
SIGNS = glyphs(unicode=True)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def report(*rows: Any, **known: Any) -> Report:
    return Report("run-1", [ReportedExperiment(row) for row in rows], **known)


def details(content: dict[str, Any], place: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = unpacked(content["experiments"][place]["detail"])
    return found


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def column(content: dict[str, Any], name: str) -> list[str]:
    found = next(one for one in content["columns"] if one["name"] == name)
    return ["".join(parts) for parts, *_ in found["cells"]]


@given(values)
def test_any_value_comes_back_and_cannot_end_its_element(value: Any) -> None:
    block = data_block(value)
    assert json.loads(block) == value
    assert not set(block) & set("<>&\u2028\u2029")


@given(st.dictionaries(st.text(), values, max_size=3), values)
def test_packed_values_come_back(value: dict[str, Any], inner: Any) -> None:
    assert unpacked(packed(value)) == value
    if value:
        both = unpacked(packed({**value, "a": 1}, further=json.dumps(inner)))
        assert both == {**value, "a": 1, "further": inner}


@given(
    st.lists(st.none() | st.floats(-1e9, 1e9), max_size=6)
    | st.lists(st.sampled_from([999.5, 99.95, 9.995, 0.0995, 0.5, 1.005, 100.0, 1e-9]), max_size=6),
    st.sampled_from([-9, -6, -3, 0, 3, 6]),
)
def test_numbers_in_long_tables_are_written_like_all_others(
    numbers: list[float | None], exponent: int
) -> None:
    one_by_one = [number(value, signs=SIGNS, exponent=exponent).text(SIGNS) for value in numbers]
    assert plain_numbers(numbers, signs=SIGNS, exponent=exponent) == one_by_one


def test_the_policy_names_exactly_what_is_in_the_page(make: Any) -> None:
    page = page_of(report(make.token_row("a", 0.5, 0.01)))
    (said,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert html.unescape(said) == policy()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(scripts) == 2
    for text in (*scripts, *styles):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in said
    assert "unsafe" not in said
    assert said.startswith("default-src 'none'; ")


def test_the_page_has_neither_handlers_nor_styles_in_its_markup_nor_anything_from_elsewhere() -> (
    None
):
    page = assets.skeleton()
    assert not re.search(r"\son\w+=|\sstyle=", page)
    assert not re.search(r"https?:", page + assets.style())
    ours = assets.script().replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not re.search(
        r"https?:|fetch\(|XMLHttpRequest|import\(|eval\(|innerHTML|insertAdjacent", ours
    )


@pytest.mark.parametrize("label", HOSTILE)
def test_a_name_never_leaves_the_data(make: Any, label: str) -> None:
    harmless = page_of(report(make.token_row("harmless", 0.5), environment=None))
    page = page_of(report(make.token_row(label, 0.5, result={"message": label}), environment=None))
    for tag in ("script", "img", "style", "/script"):
        assert page.count(f"<{tag}") == harmless.count(f"<{tag}")


def test_what_is_vendored_is_what_was_published() -> None:
    vendored = files(package) / "vendor" / "uplot"
    lines = (vendored / "SHA256SUMS").read_text().splitlines()
    digests = dict(reversed(line.split()) for line in lines)
    assert sorted(digests) == ["LICENSE", "uPlot.iife.min.js", "uPlot.min.css"]
    for name, digest in digests.items():
        assert hashlib.sha256((vendored / name).read_bytes()).hexdigest() == digest
    assert "MIT License" in (vendored / "LICENSE").read_text()


def test_every_file_of_the_page_is_used() -> None:
    present = {one.name for one in (files(package) / "page").iterdir()}
    assert present == {*assets.STYLES, *assets.SCRIPTS, "page.html"}


def test_the_wheel_has_the_page_and_the_licence(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [f"page/{name}" for name in (*assets.STYLES, *assets.SCRIPTS, "page.html")]
    wanted += [f"vendor/uplot/{name}" for name in ("LICENSE", "uPlot.iife.min.js", "uPlot.min.css")]
    assert {f"pytest_llem/reports/html/{name}" for name in wanted} <= names


def test_figures_are_written_as_on_the_terminal(make: Any) -> None:
    rows = [make.token_row("a", 0.5123, 0.0041), make.token_row("b", 0.0123, 0.0009)]
    lines = "\n".join(summary_lines(rows, width=200, colour=False, unicode=True, verbosity=0))
    for text in column(content_of(report(*rows)), "energy"):
        whole, _, spread = text.partition(" ± ")
        assert whole in lines
        assert spread in lines


def test_the_verdict_and_the_change_come_first(make: Any) -> None:
    judgement = make.judgement("regressed", change=0.09, interval=(0.06, 0.12))
    content = content_of(report(make.token_row("a", 0.5, 0.01, [judgement])))
    assert [one["kind"] for one in content["columns"]][:2] == ["verdict", "change"]
    assert column(content, "change from baseline") == ["+9.0 [+6.0, +12.0]"]
    assert content["experiments"][0]["change"] == [0.09, 0.06, 0.12]
    assert "it is regressed" in content["experiments"][0]["why"]


def test_what_is_not_finite_is_unknown(make: Any) -> None:
    infinite = float("inf")
    judgement = make.judgement("incomparable", change=infinite, interval=(-infinite, infinite))
    content = content_of(report(make.token_row("a", 0.5, 0.01, [judgement])))
    assert content["experiments"][0]["change"] == [None, None, None]


def test_samples_of_the_baseline_stand_before_those_of_now(make: Any) -> None:
    windows = tuple(
        make.window(place, energy_j=8.0 + place, output_tokens=16) for place in range(3)
    )
    judgement = make.judgement("pass", change=0.01, interval=(0.0, 0.02))
    row = make.token_row("a", 0.5, 0.01, [judgement], windows=windows)
    session = ComparedSession(run_id="r", started_at="2026-11-01T12:00:00", processes=((0.4, 0.5),))
    metric = ComparedMetric(
        measurement="workload", metric="energy_per_output_token_j", sessions=(session,)
    )
    content = content_of(Report("run", [ReportedExperiment(row, (), (metric,))]))
    (picture,) = details(content)["samples"]
    assert picture["now"] == [["process 1", [500.0, 562.5, 625.0]]]
    assert picture["before"] == [["2026-11-01 12:00, 1", [400.0, 500.0]]]
    assert picture["unit"] == "mJ/token"


def test_two_tests_of_the_same_experiment_have_keys_of_their_own(make: Any) -> None:
    rows = [make.token_row("a", 0.5), make.token_row("a", 0.5)]
    keys = [one["key"] for one in content_of(report(*rows))["experiments"]]
    assert len(set(keys)) == 2


def test_what_took_another_effect_is_marked(make: Any) -> None:
    engine = {"effective": {"dtype": "float32", "batch_size": 1}}
    config = make.result().config.model_copy(update={"dtype": "float16"})
    row = make.token_row("a", 0.5, result={"engine": engine, "config": config})
    asked = {field: rest for field, *rest in details(content_of(report(row)))["asked"]}
    assert asked["dtype"] == ["float16", "float32", True]
    assert asked["batch_size"] == ["1", "1", False]
    assert asked["model"][1] == SIGNS.unknown


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("memory_bytes", 85_520_809_984, "85.5 GB"),
        ("swap_bytes", 0, "0"),
        ("ecc", True, "yes"),
        ("anything", None, SIGNS.unknown),
        ("anything", [], "none"),
        ("anything", ["a", 1], "a, 1"),
        ("anything", "\u202e<b>", "\\u202e<b>"),
    ],
)
def test_values_are_written_for_people(name: str, value: Any, text: str) -> None:
    assert text_of(value, name) == text


def test_starting_pytest_imports_none_of_it() -> None:
    code = (
        "import sys, pytest_llem.plugin, pytest_llem.runs.options;"
        "print([m for m in sys.modules if 'reports.html' in m or m == 'pytest_llem.runs.html'])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
