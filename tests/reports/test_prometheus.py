"""Metrics as Prometheus' own parser and promtool read them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pytest_llem.baselines.metrics import METRICS
from pytest_llem.reports.exporters.prometheus import metric_name

if TYPE_CHECKING:
    from conftest import Export, Make

HEADLINE = "llem_energy_per_output_token_joules"


def families(text: str) -> dict[str, Any]:
    found = list(text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found)
    samples = [(s.name, *sorted(s.labels.items())) for family in found for s in family.samples]
    assert len(set(samples)) == len(samples)
    return {family.name: family for family in found}


def test_names_have_base_units_and_help(export: Export) -> None:
    found = families(export.written("prometheus", export.experiment()))
    family = found[HEADLINE]
    assert (family.type, family.samples[0].value) == ("gauge", 0.11)
    assert "J/token" in family.documentation
    assert found["llem_duration_seconds"].samples[0].value == pytest.approx(1 / 3)
    assert found["llem_output_tokens_per_second"].samples[0].value == 30.0
    low, high = (
        found[f"llem_energy_per_output_token_{end}_joules"].samples[0].value
        for end in ("low", "high")
    )
    assert (low, high) == (pytest.approx(0.09), pytest.approx(0.13))


def test_phases_are_labels_and_what_is_unknown_has_no_line(export: Export, make: Make) -> None:
    measured = export.measured(prefill=make.phase(0.4))
    found = families(export.written("prometheus", export.experiment("a", measured)))
    phases = {one.labels["phase"]: one.value for one in found["llem_energy_joules"].samples}
    assert phases == {"whole": 1.1, "prefill": 0.4}
    assert "llem_itl_seconds" not in found


def test_an_estimate_is_labelled(export: Export) -> None:
    estimate = export.experiment("a", export.measured(method="estimated"))
    found = families(export.written("prometheus", estimate))
    assert found[HEADLINE].samples[0].labels["estimated"] == "true"
    assert found["llem_duration_seconds"].samples[0].labels["estimated"] == "false"


def test_outcomes_and_verdicts_are_there_of_all_and_figures_of_what_passed(
    export: Export, make: Make
) -> None:
    text = export.written(
        "prometheus",
        export.experiment("a", judgements=[make.judgement("regressed", change=0.2)]),
        export.experiment("b", outcome="failed", message="assert 0"),
    )
    found = families(text)
    outcomes = [one.labels["outcome"] for one in found["llem_experiment_outcome"].samples]
    assert outcomes == ["passed", "failed"]
    assert len(found[HEADLINE].samples) == 1
    assert found["llem_verdict"].samples[0].labels["verdict"] == "regressed"
    assert found["llem_relative_change_ratio"].samples[0].value == 0.2


def test_the_run_is_told_once(export: Export) -> None:
    found = families(export.written("prometheus", export.experiment()))
    assert found["llem_run_info"].samples[0].labels["commit"] == "c0ffee+dirty"
    finished = found["llem_run_finished_timestamp_seconds"].samples[0]
    assert finished.value == 1793534700.0
    assert finished.timestamp is None  # the textfile collector refuses those


def test_files_of_two_plans_may_lie_beside_each_other(export: Export, make: Make) -> None:
    run = export.run
    texts = []
    for number, label in enumerate("ab"):
        manifest = run.manifest.model_copy(
            update={"run_id": label, "fingerprint": str(number) * 16}
        )
        one = export.experiment(label)
        texts.append(
            export.written("prometheus", replace(one, run=replace(run, manifest=manifest)))
        )
    first, second = (
        {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
        for text in texts
    )
    assert len(first) > 5
    assert not first & second


def test_no_two_metrics_share_a_name() -> None:
    parts = ("", "low", "high")
    names = [
        (metric_name(one.quantity, part), one.phase) for one in METRICS.values() for part in parts
    ]
    assert len(set(names)) == len(names)


@given(st.text(), st.text(min_size=1))
def test_any_name_comes_back(export: Export, label: str, measurement: str) -> None:
    named = export.experiment(label, export.measured(name=measurement), node_id=f"t.py::{label}")
    labels = families(export.written("prometheus", named))[HEADLINE].samples[0].labels
    assert labels["experiment"] == f"t.py::{label}"
    assert labels["measurement"] == measurement


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_has_nothing_to_say(export: Export, make: Make) -> None:
    judgements = [make.judgement("regressed", change=0.2)]
    text = export.written("prometheus", export.experiment('"\\\n</script>é', judgements=judgements))
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
