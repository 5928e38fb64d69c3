"""What fails a run as GitLab's code quality report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llem.reports.exporters.exporter import Exported

FORMAT = "gitlab-code-quality"


def experiment(export: Any, make: Any, label: str, verdict: str, change: float = 0.1) -> Exported:
    judgement = make.judgement(verdict, change=change, explanation=f"it is {change}")
    return export.experiment(label, judgements=[judgement])  # type: ignore[no-any-return]


def test_each_reason_is_a_finding_and_what_is_well_is_none(export: Any, make: Any) -> None:
    crashed = export.experiment("c", outcome="crashed", message="killed")
    said = ("pass", "inconclusive", "improved", "new")
    well = [experiment(export, make, verdict, verdict) for verdict in said]
    found = export.document(FORMAT, *well, experiment(export, make, "r", "regressed"), crashed)
    assert [(one["check_name"], one["severity"]) for one in found] == [
        ("llem.regressed", "major"),
        ("llem.crashed", "critical"),
    ]
    assert {one["location"]["path"] for one in found} == {"bench/test_chat.py"}
    assert all(one["location"]["lines"]["begin"] == 1 for one in found)
    assert "bench/test_chat.py::test_chat[r]" in found[0]["description"]
    assert export.document(FORMAT, *well) == []


def test_it_is_the_same_finding_in_the_next_pipeline_and_another_of_another_experiment(
    export: Any, make: Any
) -> None:
    runs = [("a", 0.1), ("a", 0.2), ("b", 0.1)]
    first, again, other = (
        export.document(FORMAT, experiment(export, make, label, "regressed", change))[0]
        for label, change in runs
    )
    assert first["description"] != again["description"]
    assert first["fingerprint"] == again["fingerprint"] != other["fingerprint"]
