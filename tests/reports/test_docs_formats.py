"""What docs/formats.md and docs/cost.md name is there."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_llem.config.cost import Tariff
from pytest_llem.reports.exporters import EXPORTERS

DOCS = Path(__file__).parents[2] / "docs"


def first_column(document: str) -> list[str]:
    rows = re.findall(r"^\| (.+?) \|", (DOCS / document).read_text(encoding="utf-8"), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_format_is_in_the_table() -> None:
    builtin = [one.component.name for one in EXPORTERS.listing() if one.component.builtin]
    assert sorted(name.partition(":")[0] for name in first_column("formats.md")) == sorted(builtin)


def test_everything_that_can_be_declared_is_in_the_table() -> None:
    assert set(first_column("cost.md")) == set(Tariff.model_fields)
