"""Prices and the grid as files and options declare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.config.cost import Tariff, declared_tariff
from pytest_llem.config.layers.standing import read_standing
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def project(tmp_path: Path, text: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(text)
    return tmp_path


def user(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "llem").mkdir()
    (tmp_path / "llem" / "llem.yaml").write_text(text)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_nothing_is_declared_where_nobody_did(tmp_path: Path) -> None:
    declared = declared_tariff(tmp_path, {})
    assert declared.tariff == Tariff()
    assert set(declared.tariff.model_dump().values()) == {None}
    assert declared.origins == {}


def test_the_later_layer_wins_field_by_field(tmp_path: Path) -> None:
    environ = user(tmp_path, "cost: {currency: EUR, price_per_kwh: 0.1, pue: 1.5}\nbatch_size: 2\n")
    own = project(tmp_path, "[tool.llem.cost]\nprice_per_kwh = 0.2\ngrid_gco2e_per_kwh = 380")
    declared = declared_tariff(own, environ, {"pue": 1.1, "currency": None})
    assert declared.tariff == Tariff(
        currency="EUR", price_per_kwh=0.2, grid_gco2e_per_kwh=380, pue=1.1
    )
    assert declared.origins["currency"].endswith("llem.yaml")
    assert declared.origins["price_per_kwh"].startswith("[tool.llem.cost] in ")
    assert declared.origins["pue"] == "options"


def test_it_is_no_field_of_experiments(tmp_path: Path) -> None:
    environ = user(tmp_path, "cost: {currency: EUR}\nbatch_size: 2\n")
    own = project(tmp_path, "[tool.llem.cost]\npue = 1.1")
    standing = read_standing(own, environ, list)
    assert set(standing.layers.given) == {"batch_size"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pue = 0.9", "pue"),
        ("price_per_kwh = -1\ncurrency = 'EUR'", "price_per_kwh"),
        ("price_per_kwh = 'much'", "price_per_kwh"),
        ("price_per_kw = 1", "Did you mean"),
        ("grid_gco2e_per_kwh = nan", "grid_gco2e_per_kwh"),
        (
            "price_per_gpu_hour = 2",
            'has no currency. Declare it beside the price: currency = "EUR"',
        ),
        ("currency = 'two words'", "currency"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"\[tool\.llem\.cost\] in .*pyproject\.toml") as error:
        declared_tariff(project(tmp_path, f"[tool.llem.cost]\n{text}"), {})
    assert said in str(error.value)


def test_a_table_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cost must be a table"):
        declared_tariff(project(tmp_path, "[tool.llem]\ncost = 3"), {})
