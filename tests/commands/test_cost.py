"""``llem cost`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from typer.testing import CliRunner

from instruments.examples import RESULT, example_raw
from pytest_llem import cost_of_runs
from pytest_llem.cli import app
from pytest_llem.energy.spent import spent_of
from pytest_llem.errors import ConfigError
from pytest_llem.results.environment import Environment
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Llem = Callable[..., Result]

SCHEMA = Path(__file__).parents[2] / "schemas" / "cost.v1.schema.json"
PRICES = (
    *("--currency", "EUR", "--price-per-kwh", "0.3", "--price-per-gpu-hour", "2"),
    *("--grid-gco2e-per-kwh", "380", "--pue", "1.2"),
)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore.create(tmp_path / ".llem", command=["pytest"], environment=Environment())
    long = {"node_id": f"bench/test_{'long' * 30}.py::test_é[1]", "wall_s": 3700.0}
    store.write_result(RESULT.model_copy(update=long), example_raw())
    return store


@pytest.fixture
def llem(store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Llem:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    return lambda *arguments: CliRunner().invoke(app, ["cost", *arguments], catch_exceptions=False)


def test_without_prices_it_says_how_to_declare_them(llem: Llem) -> None:
    said = llem().output
    assert "1 h 01 min" in said
    assert "[tool.llem.cost]" in said
    assert "EUR" not in said.replace('currency = "EUR"', "")


def test_a_table_of_80_columns_with_what_was_declared(llem: Llem) -> None:
    said = llem(*PRICES).output
    assert max(map(len, said.splitlines())) <= 80
    assert "Declared, not measured (options): 0.3 EUR per kWh, 2 EUR per GPU-hour" in said
    assert "PUE 1.2" in " ".join(said.split())
    row = next(line for line in said.splitlines() if line.startswith("all experiments"))
    assert row.split()[2:5] == ["1", "h", "01"]


def test_files_declare_and_options_win(llem: Llem) -> None:
    Path("pyproject.toml").write_text('[tool.llem.cost]\ncurrency = "CHF"\nprice_per_kwh = 0.3\n')
    said = " ".join(llem("--price-per-kwh", "0.5").output.split())
    assert "(options): 0.5 CHF per kWh" in said
    assert "No PUE was declared" in said


def test_json_is_what_its_schema_says(llem: Llem) -> None:
    document = json.loads(llem("--json", *PRICES).output)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["declared"]["pue"] == 1.2
    assert document["origins"]["pue"] == "options"
    assert document == json.loads(cost_of_runs((), declared=document["declared"]).model_dump_json())


def test_a_run_named_twice_counts_once(llem: Llem, store: RunStore) -> None:
    document = json.loads(llem("--json", store.run_id, str(store.path)).output)
    assert len(document["experiments"]) == 1


def test_raw_data_that_is_gone_leaves_the_windows(llem: Llem, store: RunStore) -> None:
    for file in (store.path / "raw").iterdir():
        file.unlink()
    assert "Of 1 process only windows are known." in llem().output


def test_what_cannot_be_is_refused_in_words(llem: Llem) -> None:
    with pytest.raises(ConfigError, match="has no currency"):
        llem("--price-per-kwh", "1")
    with pytest.raises(ConfigError, match="options: pue"):
        llem("--pue", "0.5")


def test_what_a_result_keeps_needs_no_raw_data(tmp_path: Path) -> None:
    runs = []
    for raw in (example_raw(), None):
        store = RunStore.create(tmp_path, command=["pytest"], environment=Environment())
        spent = None if raw else spent_of(example_raw().traces)
        store.write_result(RESULT.model_copy(update={"spent": spent}), raw)
        (one,) = cost_of_runs([str(store.path)]).experiments
        runs.append(one.taken)
    derived, kept = runs
    assert derived.energy_windows_only == kept.energy_windows_only == 0
    assert kept == derived
