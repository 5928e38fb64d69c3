"""Charts for github-action-benchmark.

``LLEM_TEST_GITHUB_ACTION_BENCHMARK`` names the folder of ``extract.js`` that its ``npm run build`` makes
(``dist/src`` in 1.22); its own code then reads what is written. Without it, the rules that its README and ``src/extract.ts`` have
are held against it: name, unit and a finite value are there, range and extra are texts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Export, Make

BUILT = os.environ.get("LLEM_TEST_GITHUB_ACTION_BENCHMARK")
READER = """
const [dist, tool, file] = process.argv.slice(1);
const {extractResult} = require(dist + "/extract.js");
const {normalizeBenchmark} = require(dist + "/normalizeBenchmark.js");
extractResult({tool, outputFilePath: file}).then(found =>
  console.log(JSON.stringify(normalizeBenchmark(found, found).benches)));
"""
RANGE = re.compile(r"(\+-|±)\s*(\d.*)")
"""As ``src/extractRangeInfo.ts`` finds it."""


def charts(export: Export, exporter: str, *experiments: Any) -> dict[str, dict[str, Any]]:
    entries = export.document(exporter, *experiments)
    for entry in entries:
        assert (
            {"name", "unit", "value"}
            <= entry.keys()
            <= {*("name", "unit", "value", "range", "extra")}
        )
        assert isinstance(entry["value"], float)
        assert isinstance(entry["extra"], str)
        if "range" in entry:
            float(RANGE.fullmatch(entry["range"])[2])  # type: ignore[index]
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: entry for entry in entries}


def test_each_direction_has_a_file_of_its_own(export: Export) -> None:
    smaller = charts(export, "github-smaller", export.experiment())
    bigger = charts(export, "github-bigger", export.experiment())
    name = "bench/test_chat.py::test_chat[a]"
    assert f"{name} energy_per_output_token_j" in smaller
    assert list(bigger) == [f"{name} output_tokens_per_s"]
    entry = smaller[f"{name} energy_per_output_token_j"]
    assert (entry["value"], entry["unit"], entry["range"]) == (0.11, "J/token", "± 0.02")


def test_an_estimate_has_another_name_than_a_measurement(export: Export) -> None:
    estimate = export.experiment("a", export.measured(method="estimated"))
    names = charts(export, "github-smaller", estimate)
    assert all(("energy" in name or "power" in name) is ("(estimated)" in name) for name in names)
    assert any("(estimated)" in name for name in names)


def test_the_verdict_is_in_the_tooltip(export: Export, make: Make) -> None:
    entries = charts(
        export, "github-smaller", export.experiment(judgements=[make.judgement("regressed")])
    )
    (said,) = (one["extra"] for one in entries.values() if "verdict" in one["extra"])
    assert "verdict regressed: it is regressed" in said.splitlines()


def test_what_failed_or_is_unknown_has_no_chart(export: Export, make: Make) -> None:
    failed = export.experiment("a", outcome="failed", message="assert 0")
    assert not charts(export, "github-smaller", failed, export.experiment("b", make.measured()))


@given(st.text())
def test_any_name_comes_back(export: Export, label: str) -> None:
    named = export.experiment(label, node_id=f"t.py::test[{label}]")
    assert all(
        name.startswith(f"t.py::test[{label}] ") for name in charts(export, "github-smaller", named)
    )


@pytest.mark.skipif(not BUILT, reason="LLEM_TEST_GITHUB_ACTION_BENCHMARK names no built action")
@pytest.mark.parametrize(
    ("exporter", "tool"),
    [("github-smaller", "customSmallerIsBetter"), ("github-bigger", "customBiggerIsBetter")],
)
def test_the_actions_own_code_reads_it(
    export: Export, tmp_path: Path, exporter: str, tool: str
) -> None:
    person = {"name": "somebody"}
    commit = {"id": "c0ffee", "message": "", "url": "", "author": person, "committer": person}
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"head_commit": commit}))
    written = export.document(exporter, export.experiment('`a`|"\n</script>é'))
    done = subprocess.run(
        ["node", "-e", READER, str(BUILT), tool, str(export.path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": "o/r"},
    )
    assert json.loads(done.stdout) == written
