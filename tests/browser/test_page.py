"""A report as it opens: what it shows is what is stored, and nothing in it runs or is fetched."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Any

from instruments.stored_run import HOSTILE, stored_run
from pytest_llem.reports.html.page import policy
from pytest_llem.reports.quantities import common_exponent, number, prefix
from pytest_llem.reports.text import clean, glyphs
from pytest_llem.runs.html import report_of, write_html

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.energy.measured import Measured
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.results.store import RunStore

SIGNS = glyphs(unicode=True)
SPACES = str.maketrans("", "", "\u2007\u2008 ")
"""What only lines numbers up."""


def measured(store: RunStore) -> dict[str, Measured]:
    """What each experiment of the run measured, by its id, all processes as one."""
    rows = [one.row for one in report_of(store).experiments]
    return {row.result.experiment_id: row.measured for row in rows if row.measured is not None}


def cells(page: Any, title: str) -> dict[str, str]:
    """The column headed *title*, by experiment, without the spaces that line it up."""
    heads = page.eval_on_selector_all(
        ".experiments thead button", "all => all.map(b => b.dataset.sort)"
    )
    column = heads.index(title)
    texts: dict[str, str] = page.eval_on_selector_all(
        ".experiments tbody tr[data-key]",
        "(rows, column) => Object.fromEntries(rows.map(r => [r.dataset.key, r.cells[column].textContent]))",
        column,
    )
    return {key: text.translate(SPACES) for key, text in texts.items()}


def test_rows_say_what_the_results_say(looking: Any, store: RunStore) -> None:
    page = looking.open()
    stored = measured(store)
    energies = [one.energy_per_output_token_j for one in stored.values()]
    exponent = common_exponent(energies)
    shown = cells(page, "energy")
    assert sorted(shown) == sorted(
        one.row.result.experiment_id for one in report_of(store).experiments
    )
    for key, one in stored.items():
        if one.energy_per_output_token_j is None:
            continue
        written = number(
            one.energy_per_output_token_j,
            one.energy_per_output_token_uncertainty_j,
            signs=SIGNS,
            exponent=exponent,
            with_uncertainty=True,
        )
        mark = "~" if one.estimated else ""
        assert shown[key] == (mark + written.text(SIGNS)).translate(SPACES)
    head = page.text_content(".experiments th:has(button[data-sort=energy]) .unit")
    assert head == f"{prefix(exponent, SIGNS)}J/output token"


def test_unknown_is_a_dash_and_never_nothing(looking: Any, store: RunStore) -> None:
    page = looking.open()
    shown = cells(page, "ttft_s")
    unknown = [key for key, one in measured(store).items() if one.ttft_s is None]
    assert unknown
    assert {shown[key] for key in unknown} == {SIGNS.unknown}
    assert "0" not in {
        text for column in ("ttft_s", "energy") for text in cells(page, column).values()
    }


def test_figures_of_the_tests_own_are_in_the_table_and_in_the_details(
    looking: Any, store: RunStore
) -> None:
    page = looking.open()
    rows = {row.result.experiment_id: row for row in _rows(store)}
    accuracy, longest = cells(page, "quality.accuracy"), cells(page, "quality.longest")
    for key, row in rows.items():
        recorded = {one.name: one for one in row.result.recorded}
        assert accuracy[key] == ("0.80±0.10" if recorded else SIGNS.unknown)
        assert longest[key] == (f"{recorded['longest'].value:.1f}" if recorded else SIGNS.unknown)
    key = next(key for key, row in rows.items() if row.result.recorded)
    tiles = looking.open(open=key).text_content(".tiles")
    assert "accuracy0.80 ± 0.10recorded by the test, 64 items" in tiles
    assert " words" in tiles
    with_none = next(key for key, row in rows.items() if not row.result.recorded)
    assert "recorded" not in looking.open(open=with_none).text_content(".tiles")


def _rows(store: RunStore) -> list[SummaryRow]:
    return [one.row for one in report_of(store).experiments]


def test_verdicts_and_changes_are_those_that_the_run_kept(looking: Any, store: RunStore) -> None:
    page = looking.open()
    verdicts, changes = cells(page, "verdict"), cells(page, "change from baseline")
    rows = [one.row for one in report_of(store).experiments]
    for row in rows:
        key = row.result.experiment_id
        for judgement in row.judgements:
            if row.measured is not None and row.measured.valid:
                assert judgement.verdict in verdicts[key]
            if judgement.change is not None:
                assert f"{abs(judgement.change):.1%}"[:2].rstrip(".") in changes[key]
    counted = page.eval_on_selector_all(
        ".chips button", "all => all.map(b => [b.dataset.word, b.querySelector('b').textContent])"
    )
    assert sum(int(count) for _, count in counted) == len(rows)


def test_it_opens_from_disk_and_asks_for_nothing_else(looking: Any) -> None:
    looking.open()
    looking.open(view="speed")
    looking.open(view="about")
    assert {url.partition("#")[0] for url in looking.requests if url != "about:blank"} <= {
        looking.address,
        "data:,",
    }


def test_it_works_where_a_server_sends_the_policy_too(
    looking: Any, report: Path, data: dict[str, Any]
) -> None:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", policy())
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def translate_path(self, path: str) -> str:
            return str(report)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/report.html"
        page = looking.open(address, open=data["experiments"][0]["key"])
        assert page.locator("[data-timeline] canvas").count() > 0
        server.shutdown()


def test_names_that_look_like_markup_are_text(looking: Any, data: dict[str, Any]) -> None:
    page = looking.open()
    assert page.title() == f"Run {data['run']}"
    shown = page.eval_on_selector_all(
        ".experiments tbody th a", "all => all.map(a => a.textContent)"
    )
    for label in HOSTILE:
        assert clean(label, unicode=True) in shown
    for experiment in data["experiments"][: len(HOSTILE)]:
        looking.open(open=experiment["key"])
        assert page.text_content("#experiment-heading") == experiment["name"]
        assert page.title() == f"Run {data['run']}"
    assert page.locator("main script, main img, main b:has-text('slow')").count() == 0


def test_an_experiment_has_its_timeline_samples_windows_and_what_took_effect(
    looking: Any, store: RunStore, data: dict[str, Any]
) -> None:
    judged = [each for each in data["experiments"] if each["word"] == "inconclusive"]
    one = next(each for each in judged if not each["estimated"])
    page = looking.open(open=one["key"])
    assert page.locator("[data-timeline] .uplot").count() == 3  # power, temperature, clock
    stored = measured(store)[one["key"]]
    samples = page.locator("[data-samples] circle.now").count()
    assert samples == len(stored.samples("whole"))
    assert page.locator("[data-samples] circle.before").count() == 2 * 2 * 5
    table = page.locator("table:has(caption:has-text('process 1, workload'))")
    assert table.locator("tbody tr").count() == len(stored.windows) / 2
    assert "could have shown" in page.text_content("table.judged")
    asked = page.locator("tr:has(th:text-is('dtype')) td").all_text_contents()
    assert asked[0] in {"bfloat16", "float16", "float32"}


def test_each_process_has_a_timeline_of_its_own(looking: Any, data: dict[str, Any]) -> None:
    page = looking.open(open=data["experiments"][0]["key"])
    page.get_by_role("button", name="process 2").click()
    assert page.get_attribute("button:text-is('process 2')", "aria-pressed") == "true"
    assert page.locator("[data-timeline] .uplot").count() == 3


def test_estimates_are_called_so_wherever_they_are_seen(looking: Any, data: dict[str, Any]) -> None:
    estimated = [one for one in data["experiments"] if one["estimated"]]
    assert estimated
    page = looking.open()
    energies = cells(page, "energy")
    assert all(energies[one["key"]][0] in "~\u2013" for one in estimated)
    assert "ESTIMATED, not measured" in page.text_content(".notice")
    page = looking.open(open=estimated[1]["key"])
    assert "estimated, not measured" in page.text_content(".tiles")
    assert "~ estimated power" in page.text_content("[data-timeline]")
    assert "estimate, not a measurement" in page.text_content("[data-timeline]")
    assert "the estimate rose" in page.text_content("[data-timeline]")
    assert "energy counter" not in page.text_content("[data-timeline]")
    assert "Estimates, not measurements" in page.text_content("[data-samples]")
    page = looking.open(view="speed")
    assert "~ estimated" in page.text_content(".keys")


def test_a_run_without_previews_says_so(look: Callable[..., Any], tmp_path: Path) -> None:
    store = stored_run(tmp_path / ".llem", 3, readings=0)
    write_html(store, tmp_path / "old.html")
    looking = look(tmp_path / "old.html")
    page = looking.open(open="test_serving-0000000000000000")
    assert "There is no timeline" in page.text_content("[data-timeline]")
    assert page.locator("[data-timeline] canvas").count() == 0


def test_an_empty_run_says_so(look: Callable[..., Any], tmp_path: Path) -> None:
    write_html(stored_run(tmp_path / ".llem", 0), tmp_path / "none.html")
    page = look(tmp_path / "none.html").open()
    assert page.text_content("h1") == "No experiment was reported"


def test_two_thousand_experiments_are_all_there(look: Callable[..., Any], tmp_path: Path) -> None:
    write_html(stored_run(tmp_path / ".llem", 2000, readings=0), tmp_path / "many.html")
    looking = look(tmp_path / "many.html")
    page = looking.open()
    assert len(set(looking.order())) == 2000
    page.fill("[data-view=experiments] input[type=search]", "bfloat16 chat")
    looking.complete()
    assert 0 < len(looking.order()) < 2000
    names = page.eval_on_selector_all(".experiments tbody th", "all => all.map(t => t.title)")
    assert all("bfloat16" in name and "chat" in name for name in names)


def test_the_theme_can_be_chosen(looking: Any) -> None:
    page = looking.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.select_option("#theme", "dark")
    assert page.evaluate(ground) != light
    page.select_option("#theme", "light")
    assert page.evaluate(ground) == light


def test_paper_has_the_table_and_no_controls(looking: Any) -> None:
    page = looking.open()
    page.emulate_media(media="print")
    assert page.locator(".experiments tbody tr").first.is_visible()
    for control in ("#theme", ".top nav", ".tools"):
        assert not page.locator(f"{control} >> nth=0").is_visible()
