"""Annotations: which, of what, at most how many, and that nothing foreign ends a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.reports.exporters.exporter import Exported, ExportedRun
from pytest_llem.reports.github.annotations import Annotation, annotation_lines, command
from pytest_llem.reports.markdown.place import Place
from pytest_llem.reports.markdown.told import told_run
from pytest_llem.results.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.baselines.verdict import Verdict

TEXTS = st.text(alphabet="a:,%\r\n\\=;é0DA", max_size=20)


def run_here(path: Path) -> ExportedRun:
    manifest = Manifest(
        run_id="r", tool_version="2", command=(), planned=(), started_at="2026-11-01T12:00:00+00:00"
    )
    return ExportedRun(manifest, project=path)


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A command as GitHub's runner reads it (``ActionCommand.cs``)."""
    found = re.fullmatch(r"::(\w+)(?: ([^\n]*?))?::(.*)", line)
    assert found is not None
    kind, properties, data = found.groups()
    pairs = [one.split("=", 1) for one in (properties or "").split(",") if one]
    return kind, {name: _property(value) for name, value in pairs}, _data(data)


def _data(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def _property(text: str) -> str:
    return _data(text.replace("%3A", ":").replace("%2C", ","))


@given(TEXTS, TEXTS, TEXTS.filter(bool), st.integers(1, 9))
def test_the_runner_reads_what_was_written(title: str, said: str, file: str, line: int) -> None:
    written = command(Annotation("error", title, said, file, line))
    assert "\n" not in written
    assert "\r" not in written
    expected = {"file": file, "line": str(line), **({"title": title} if title else {})}
    assert parsed(written) == ("error", expected, said)


@pytest.fixture
def experiments(make: Any, tmp_path: Path) -> Any:
    """Experiments of a test file in the root of a repository, a verdict each."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/test_it.py").write_text("\n\ndef test_it(energy): ...\n")
    run = run_here(tmp_path / "bench")

    def experiments(*verdicts: Verdict) -> list[Exported]:
        return [
            Exported(
                make.result(
                    f"{number}",
                    [make.measured()],
                    experiment_id=f"{number}",
                    node_id=f"test_it.py::test_it[{number}]",
                ),
                (make.judgement(verdict, change=number / 100),),
                run,
            )
            for number, verdict in enumerate(verdicts)
        ]

    return experiments


def annotated(experiments: Sequence[Exported]) -> list[tuple[str, dict[str, str], str]]:
    return [parsed(line) for line in annotation_lines(told_run(experiments, Place()))]


def test_a_regression_is_an_error_at_the_line_of_its_test(experiments: Any) -> None:
    ((kind, where, said),) = annotated(experiments("pass", "regressed", "new", "improved"))
    assert kind == "error"
    assert where == {
        "file": "bench/test_it.py",
        "line": "3",
        "title": "regressed: test_it.py::test_it[1]",
    }
    assert said == "energy_per_output_token_j: it is regressed"


def test_what_could_not_be_told_is_a_warning(experiments: Any) -> None:
    found = annotated(experiments("inconclusive", "incomparable"))
    assert [kind for kind, _, _ in found] == ["warning", "warning"]


def test_a_crash_is_an_error_even_where_no_source_is(make: Any) -> None:
    crashed = Exported(
        make.result("x", [], outcome="crashed", message="killed, 100 %:\nlast words")
    )
    ((kind, where, said),) = annotated([crashed])
    assert kind == "error"
    assert where == {"title": "crashed: bench/test_chat.py::test_chat[x]"}
    assert said == "killed, 100 %: ..."


def test_github_shows_ten_of_a_kind_so_there_are_ten_and_the_worst_ones(experiments: Any) -> None:
    found = annotated(experiments(*["regressed"] * 25, *["inconclusive"] * 10))
    errors = [where["title"] for kind, where, _ in found if kind == "error"]
    assert errors[0] == "regressed: test_it.py::test_it[24]"
    assert len(errors) == 10
    assert errors[-1] == "and 16 more"
    assert sum(kind == "warning" for kind, _, _ in found) == 10
