"""The schemas that are published."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from pytest_llem.config.document_schema import main, write_schemas
from pytest_llem.results.environment import collect_environment
from pytest_llem.results.json_schema import json_schemas
from pytest_llem.results.kept_reports import keep_reports
from pytest_llem.results.manifest import PlannedExperiment
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.schema import ExperimentResult

SCHEMAS = Path(__file__).parents[2] / "schemas"
NAMES = [
    "result.v1.schema.json",
    "manifest.v1.schema.json",
    "environment.v1.schema.json",
    "journal.v1.schema.json",
    "reports.v1.schema.json",
]
ALL = [*NAMES, "cost.v1.schema.json", "diagnosis.v1.schema.json", "log.v1.schema.json"]


@pytest.fixture
def documents(tmp_path: Path, make_result: Callable[..., ExperimentResult]) -> dict[str, Any]:
    """One stored document of each kind, by its schema's name."""
    store = RunStore.create(
        tmp_path,
        command=["pytest"],
        environment=collect_environment(Path(), {"gpus": [{"uuid": "GPU-1"}]}),
        planned=[PlannedExperiment(experiment_id="chat-1", label="1", config_hash="c0ffee")],
    )
    result = store.write_result(make_result(), None)
    store.finish()
    keep_reports(store, result.stem, [{"when": "call", "outcome": "passed"}])
    journal = store.journal()
    journal.finished(("chat-1", None, 0), "passed", result.stem)
    files = [
        result,
        store.path / "manifest.json",
        store.path / "environment.json",
        journal.path,
        store.path / "reports" / result.name,
    ]
    return {name: json.loads(file.read_text()) for name, file in zip(NAMES, files, strict=True)}


def committed(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / name).read_text())


def test_the_committed_schemas_are_those_of_the_models(tmp_path: Path) -> None:
    write_schemas(tmp_path, json_schemas())
    remedy = "write them again with: python -m pytest_llem.results.json_schema"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ALL)
    for name in ALL:
        assert (SCHEMAS / name).read_text() == (tmp_path / name).read_text(), remedy


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_validates(documents: dict[str, Any], name: str) -> None:
    schema = committed(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(documents[name])


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_version_another_version_or_an_unknown_field_does_not_validate(
    documents: dict[str, Any], name: str
) -> None:
    validator = jsonschema.Draft202012Validator(committed(name))
    document = documents[name]
    without = {key: value for key, value in document.items() if key != "schema_version"}
    for wrong in (without, {**document, "schema_version": 2}, {**document, "mood": "good"}):
        assert not validator.is_valid(wrong)


def test_a_number_in_words_does_not_validate(documents: dict[str, Any]) -> None:
    document = documents[NAMES[0]]
    document["measurements"][0]["energy_j"] = "a lot"
    (error,) = jsonschema.Draft202012Validator(committed(NAMES[0])).iter_errors(document)
    assert list(error.absolute_path) == ["measurements", 0, "energy_j"]


def test_schemas_say_what_they_are_and_explain_their_fields() -> None:
    schemas = json_schemas()
    assert len({schema["$id"] for schema in schemas.values()}) == len(ALL)
    result = schemas[NAMES[0]]
    assert result["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert result["$id"] == "urn:pytest-llem:result:v1"
    assert result["title"] == "Result of an experiment (pytest-llem, version 1)"
    sample = result["$defs"]["WindowSample"]["properties"]
    assert sample["counter_energy_j"]["description"].startswith("Energy from the device's counter")


def test_the_command_writes_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest_llem.results.json_schema", tmp_path / "new"]
    told = subprocess.check_output(command, text=True).splitlines()
    assert told == [str(tmp_path / "new" / name) for name in ALL]


def test_the_command_says_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file")], json_schemas()) == 1
    assert "Name a directory that can be written." in capsys.readouterr().err
