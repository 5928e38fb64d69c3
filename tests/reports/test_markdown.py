"""A run in Markdown: what it says, in which order, and that nothing foreign breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.markdown import lines, tables
from pytest_llem.reports.exporters.exporter import Exported, ExportedRun
from pytest_llem.reports.markdown.comment import LIMIT, MARKER, comment_text
from pytest_llem.reports.markdown.place import Place, place_of
from pytest_llem.reports.markdown.summary import LIMIT_BYTES, compared_text, summary_text
from pytest_llem.reports.markdown.told import told_rows, told_run
from pytest_llem.reports.rows import SummaryRow
from pytest_llem.reports.text import UNICODE
from pytest_llem.results.environment import Environment, Git
from pytest_llem.results.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.baselines.verdict import Judgement, Verdict

METRIC = "energy_per_output_token_j"
NOWHERE = Place()
NAMES = st.text(alphabet="ab|`<>@#1[]()*_\\~& \n\té", min_size=1, max_size=25)


@pytest.fixture(scope="session")
def judged(make: Any) -> Any:
    """An experiment with a verdict for each of *verdicts*, by metric."""

    def judged(label: str, *verdicts: Verdict, change: float = 0.1, **known: Any) -> Exported:
        metrics = (METRIC, "ttft_s", "duration_s")
        said: list[Judgement] = [
            make.judgement(
                verdict,
                metric=metric,
                baseline=0.02,
                candidate=0.02 * (1 + change),
                change=change,
                interval=(change - 0.02, change + 0.02),
            )
            for verdict, metric in zip(verdicts, metrics, strict=False)
        ]
        method = known.pop("method", "counter")
        measured = make.measured(energy_per_output_token_j=0.022, method=method)
        known.setdefault("experiment_id", f"id-{label}")
        run = known.pop("run", None)
        return Exported(make.result(label, [measured], **known), tuple(said), run)

    return judged


def run_of(**known: Any) -> ExportedRun:
    manifest = Manifest(
        run_id="20261101T120000.000Z-abcdef",
        tool_version="2.0.0",
        command=("/x/bin/pytest", "bench/", "-k", "a | b `c`"),
        planned=(),
        started_at="2026-11-01T12:00:00+00:00",
        state=known.pop("state", "finished"),
    )
    environment = Environment(cpu_model="EPYC", git=Git(commit="c0ffee" * 6 + "abcd", dirty=True))
    return ExportedRun(manifest, environment, **known)


def page(experiments: Sequence[Exported], place: Place = NOWHERE) -> str:
    return summary_text(told_run(experiments, place))


def words(page: str) -> str:
    return "\n".join(line.text for line in lines(page))


def test_the_first_words_are_the_verdict(judged: Any) -> None:
    said = words(page([judged("a", "pass"), judged("b", "regressed"), judged("c", "pass")]))
    assert said.startswith(
        "Energy: 1 of 3 experiments regressed\n3 experiments: 1 regressed, 2 pass"
    )


def test_regressions_come_first_and_what_is_well_is_folded_away(judged: Any) -> None:
    run = [judged("a", "pass"), judged("b", "inconclusive"), judged("c", "regressed")]
    written = page([*run, judged("d", "regressed", change=0.5)])
    worst, well = tables(written)
    assert [row[0].text[-2] for row in worst[1:]] == ["d", "c", "b"]
    assert [row[0].text[-2] for row in well[1:]] == ["a"]
    assert written.index("<details><summary>1 other experiment") < written.index("test_chat[a]")


def test_a_row_has_base_now_change_interval_and_verdict(judged: Any) -> None:
    ((head, row),) = tables(page([judged("a", "regressed")]))
    assert [cell.text for cell in head][2:] == ["base", "now", "change [interval]", "verdict"]
    assert [cell.text for cell in row] == [
        "bench/test_chat.py::test_chat[a]",
        METRIC,
        "20.0 mJ",
        "22.0 mJ",
        "+10.0 % [+8.0, +12.0]",
        "❌ regressed",
    ]


def test_every_gate_of_an_experiment_to_look_at_has_a_row(judged: Any) -> None:
    ((_, *rows),) = tables(page([judged("a", "pass", "regressed", "inconclusive")]))
    assert [(row[1].text, row[5].text) for row in rows] == [
        ("ttft_s", "❌ regressed"),
        (METRIC, "✅ pass"),
        ("duration_s", "⚠️ inconclusive"),
    ]


def test_estimates_are_labelled_in_head_and_row(judged: Any) -> None:
    written = page([judged("a", "regressed", "pass", method="estimated")])
    assert "1 experiment (energy estimated): 1 regressed" in words(written)
    assert "~ ESTIMATED, not measured" in words(written)
    ((_, energy, time),) = tables(written)
    assert [cell.text for cell in energy][1:4] == [f"{METRIC} estimated", "~20.0 mJ", "~22.0 mJ"]
    assert energy[4].text.startswith("~+10.0 %")
    assert "~" not in time[2].text + time[3].text + time[4].text


def test_what_broke_is_a_row_with_the_reason_below(judged: Any, make: Any) -> None:
    crashed = make.result("x", [], outcome="crashed", message="killed by SIGSEGV @you #1")
    written = page([judged("a", "pass"), Exported(crashed)])
    assert "1 of 2 experiments failed" in words(written)
    first, _ = tables(written)
    assert [cell.text for cell in first[1]][1:] == [*[UNICODE.unknown] * 4, "❌ crashed"]
    assert "killed by SIGSEGV @you #1" in words(written)


def test_under_strict_what_could_not_be_told_failed(judged: Any) -> None:
    experiment = judged("a", "inconclusive")
    strict = Exported(experiment.result, experiment.judgements, run_of(strict=True))
    assert "1 of 1 experiments failed" in words(page([strict]))
    assert "❌" not in page([experiment])


def test_processes_of_an_experiment_are_one_row(judged: Any) -> None:
    found = tables(page([judged("a", "pass", repeat=number) for number in range(3)]))
    ((_, row),) = found
    assert row[0].text.endswith("[a] (3 processes)")


def test_a_test_that_ran_again_counts_once_and_as_it_came_out_last(judged: Any) -> None:
    first = judged("a", outcome="failed", message="flaky")
    assert "1 experiment: 1 measured" in words(page([first, judged("a")]))


def test_how_to_reproduce_has_the_command_the_commit_and_the_run(judged: Any) -> None:
    experiment = judged("a", "pass")
    place = Place(job_url="https://ci.example/jobs/1")
    written = page([Exported(experiment.result, experiment.judgements, run_of())], place)
    assert "pytest bench/ -k 'a | b `c`'" in written
    assert "[this job](https://ci.example/jobs/1)" in written
    said = words(written)
    assert "20261101T120000.000Z-abcdef" in said
    assert "abcd with changes that are not committed" in said
    assert "machine: EPYC" in said


def test_what_spoils_figures_on_the_machine_is_ahead_of_the_table(judged: Any) -> None:
    said = ("the frequency governor saves power (powersave)", "memory is swapped out (1.0 GiB)")
    experiment = judged("a", "regressed")
    written = page([Exported(experiment.result, (), run_of(disturbances=said))])
    assert f"On this machine: {said[0]}; {said[1]}. llem doctor says more." in words(written)
    assert written.index("governor") < written.index("| experiment |")


def test_an_interrupted_run_says_so(judged: Any) -> None:
    experiment = judged("a", "pass")
    assert "did not come to its end" in page(
        [Exported(experiment.result, (), run_of(state="interrupted"))]
    )


def test_nothing_measured_is_a_page_too() -> None:
    assert "no experiment was measured" in page([])


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True), st.text(max_size=60))
def test_names_and_messages_of_strangers_change_neither_rows_nor_cells(
    judged: Any, make: Any, names: list[str], message: str
) -> None:
    good = [
        judged(name, "regressed", group="", node_id=name, experiment_id=f"{number}")
        for number, name in enumerate(names)
    ]
    broken = make.result("x", [], outcome="failed", message=message, node_id=f"test|{names[0]}")
    for text in (
        page([*good, Exported(broken)]),
        comment_text(told_run([*good, Exported(broken)], NOWHERE)),
    ):
        (table,) = tables(text)
        assert len(table) == 1 + len(names) + 1
        assert {len(row) for row in table} == {6}
        assert not any(cell.links for row in table for cell in row)
        for line in lines(text):
            assert all(
                tag in {"strong_open", "strong_close", "em_open", "em_close"} for tag in line.tags
            )


@pytest.mark.parametrize("count", [0, 600])
def test_pages_keep_the_limits_of_github_with_the_worst_first(judged: Any, count: int) -> None:
    label = "a long label with ümläuts 漢字 " * 6
    many = [judged(f"{label}{number}", "pass") for number in range(count)]
    worst = [judged(f"{label}worst {number}", "regressed") for number in range(20)]
    told = told_run(
        [*many, *worst], place_of({"CI_PROJECT_URL": "https://x", "CI_COMMIT_SHA": "1"})
    )
    for text, limit in (
        (summary_text(told, LIMIT_BYTES // 10), LIMIT_BYTES // 10),
        (comment_text(told), LIMIT),
    ):
        assert len(text.encode()) <= limit
        assert all(f"worst {number}]" in text for number in range(20))
        assert ("left out for the size of this page" in text) == (count > 0)
        assert all(len(row) == 6 for table in tables(text) for row in table)


def test_two_sides_are_told_as_such(judged: Any, make: Any, tmp_path: Path) -> None:
    rows = [SummaryRow(one.result, one.judgements) for one in [judged("x", "regressed")]]
    told = told_rows(rows, NOWHERE, tmp_path, strict=False, against="a")
    written = compared_text(told, ["a: ref=main", "b: <b> as it is"], ["NOT COMPARED: @x"])
    ((head, row),) = tables(written)
    assert [cell.text for cell in head][2:4] == ["a", "b"]
    assert row[5].text == "❌ regressed"
    said = words(written)
    assert "a: ref=main\nb: <b> as it is" in said
    assert said.endswith("NOT COMPARED: @x")


def test_a_comment_leads_to_its_job_before_all_figures(judged: Any) -> None:
    place = Place(job_url="https://ci.example/jobs/1")
    found = list(lines(comment_text(told_run([judged("a", "regressed")], place))))
    texts = [line.text for line in found]
    assert found[texts.index("Log and artifacts")].links == ["https://ci.example/jobs/1"]
    assert texts.index("Log and artifacts") == 2
    assert "Log and artifacts" not in comment_text(told_run([judged("a")], NOWHERE))


def test_a_comment_begins_with_what_finds_it_again(judged: Any) -> None:
    assert comment_text(told_run([judged("a", "pass")], NOWHERE)).splitlines()[0] == MARKER


def test_tests_are_linked_to_their_line_at_the_commit(judged: Any, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    project = tmp_path / "py thon"
    project.mkdir()
    (project / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.x\nclass TestA:\n    @pytest.mark.y\n    def test_b(self): ...\n"
    )
    run = run_of(project=project)
    node_id = "test_it.py::TestA::test_b[1::2]"
    experiment = judged("a", "regressed", node_id=node_id)
    place = place_of({"GITHUB_REPOSITORY": "o/r", "GITHUB_SHA": "f00"})
    ((_, row),) = tables(page([Exported(experiment.result, experiment.judgements, run)], place))
    commit = "c0ffee" * 6 + "abcd"
    assert row[0].links == [f"https://github.com/o/r/blob/{commit}/py%20thon/test_it.py#L6"]


@pytest.mark.parametrize(
    ("node_id", "url"),
    [
        ("test_it.py::test_gone", "https://g.example/a/b/-/blob/f00/test_it.py"),
        ("broken.py::test_it", "https://g.example/a/b/-/blob/f00/broken.py"),
        ("a.llem.yaml::1", "https://g.example/a/b/-/blob/f00/a.llem.yaml"),
        ("gone.py::test_it", None),
        ("../outside.py::test_it", None),
        ("\x00.py::test_it", None),
        (None, None),
    ],
)
def test_what_has_no_line_is_linked_to_its_file_or_not_at_all(
    judged: Any, tmp_path: Path, node_id: str | None, url: str | None
) -> None:
    project = tmp_path / "p"
    project.mkdir()
    (tmp_path / "outside.py").touch()
    (project / "test_it.py").write_text("def test_it(): ...\n")
    (project / "broken.py").write_text("def test_it(:\n")
    (project / "a.llem.yaml").write_text("def test_it(): ...\n")
    place = place_of({"CI_PROJECT_URL": "https://g.example/a/b", "CI_COMMIT_SHA": "f00"})
    experiment = judged("a", "regressed", node_id=node_id)
    run = ExportedRun(run_of().manifest, project=project)
    ((_, row),) = tables(page([Exported(experiment.result, experiment.judgements, run)], place))
    assert row[0].links == ([] if url is None else [url])


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        (
            {"GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2"},
            "https://github.com/o/r/actions/runs/7/attempts/2",
        ),
        ({"CI_JOB_URL": "https://gitlab.example/jobs/1"}, "https://gitlab.example/jobs/1"),
        ({"BUILDKITE_BUILD_URL": "https://buildkite.com/a"}, "https://buildkite.com/a"),
        ({"BUILD_URL": "https://jenkins.example/1/"}, "https://jenkins.example/1/"),
        ({}, None),
    ],
)
def test_the_job_has_an_address_on_every_service(
    variables: dict[str, str], job: str | None
) -> None:
    assert place_of(variables).job_url == job
