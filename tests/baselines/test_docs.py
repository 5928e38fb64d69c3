"""What docs/gates.md says of metrics is so."""

from __future__ import annotations

from pathlib import Path

from pytest_llem.baselines.metrics import BESIDE_QUANTITIES, NOT_GATED

DOCS = (Path(__file__).parents[2] / "docs" / "gates.md").read_text()


def test_every_reason_why_a_figure_cannot_be_gated_is_listed() -> None:
    section = DOCS.split("### What cannot be gated")[1].split("\n### ")[0]
    rows = [
        line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")
    ]
    assert dict(rows[:-1]) == {f"`{name}`": why for name, why in NOT_GATED.items()}


def test_the_quantities_of_meters_beside_the_first_are_listed() -> None:
    (row,) = (line for line in DOCS.splitlines() if line.startswith("| `beside."))
    assert all(f"`{name}`" in row for name in BESIDE_QUANTITIES)
