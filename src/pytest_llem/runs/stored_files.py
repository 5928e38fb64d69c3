"""Every kind of file that is stored, by what its documents say: which it is, and of which version."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from pytest_llem.baselines.file import SCHEMA_VERSION as BASELINE_VERSION
from pytest_llem.baselines.kept import VERDICTS_VERSION, Verdicts
from pytest_llem.baselines.reading import parse_baselines
from pytest_llem.baselines.run_summary import SUMMARY_VERSION, RunSummary
from pytest_llem.errors import StoreError
from pytest_llem.plan.document import PLAN_VERSION, Plan
from pytest_llem.results.cost import COST_VERSION, CostReport
from pytest_llem.results.diagnosis import DIAGNOSIS_VERSION, Diagnosis
from pytest_llem.results.environment import ENVIRONMENT_VERSION, Environment
from pytest_llem.results.events import EVENT, LOG_VERSION
from pytest_llem.results.kept_reports import REPORTS_VERSION, KeptReports
from pytest_llem.results.load import read_bytes, refuse_newer
from pytest_llem.results.manifest import MANIFEST_VERSION, Manifest
from pytest_llem.results.schema import SCHEMA_VERSION, ExperimentResult
from pytest_llem.results.transitions import JOURNAL_VERSION, Transition

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "schema_version"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stored document."""

    name: str
    """As in the names of the schemas."""
    version: int
    """The one that is written today."""
    keys: frozenset[str]
    """What a document of this kind has, of any version, and none of another kind has."""
    model: TypeAdapter[Any] | None
    """What holds a document of today's version; ``None`` for baselines, which have a reader."""
    of_lines: bool = False
    """Whether a file has a document a line."""


def _kind(name: str, version: int, keys: str, model: Any, *, of_lines: bool = False) -> Kind:
    adapter = model if model is None or isinstance(model, TypeAdapter) else TypeAdapter(model)
    return Kind(name, version, frozenset(keys.split()), adapter, of_lines)


BASELINE = _kind("baseline", BASELINE_VERSION, "entries hardware group", None)
KINDS = (
    BASELINE,
    _kind("result", SCHEMA_VERSION, "experiment_id measurements outcome", ExperimentResult),
    _kind("manifest", MANIFEST_VERSION, "run_id planned command", Manifest),
    _kind("environment", ENVIRONMENT_VERSION, "os packages gpus", Environment),
    _kind("verdicts", VERDICTS_VERSION, "experiments strict", Verdicts),
    _kind("reports", REPORTS_VERSION, "reports", KeptReports),
    _kind("plan", PLAN_VERSION, "points totals", Plan),
    _kind("summary", SUMMARY_VERSION, "tool run experiments", RunSummary),
    _kind("cost", COST_VERSION, "declared origins totals", CostReport),
    _kind("diagnosis", DIAGNOSIS_VERSION, "findings meters engines", Diagnosis),
    _kind("journal", JOURNAL_VERSION, "state process wall", Transition, of_lines=True),
    _kind("log", LOG_VERSION, "event pid time", EVENT, of_lines=True),
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file, as far as it says what it is."""

    path: Path
    kind: Kind
    version: int
    """Of its documents; of lines, the highest."""
    documents: tuple[Any, ...]
    """One, or one a line, as models of today."""


def read_stored(path: Path) -> StoredFile | None:
    """The stored file at *path*, of any kind and version; ``None`` if it is none of pytest-llem.

    A torn last line of a file of lines is what a killed process leaves, and passed over.

    Raises:
        StoreError: it cannot be read, is damaged, or was written by a newer version.
        BaselineError: likewise, if it is a baseline.
    """
    content = read_bytes(path)
    plain = _documents(content, path)
    kind = next((found for one in plain if (found := kind_of(one)) is not None), None)
    if kind is None:
        if any(isinstance(one, dict) and VERSION in one for one in plain):
            raise StoreError(
                f"{path} has a {VERSION}, and is of no kind that this pytest-llem knows: it is "
                "damaged, or of a newer version."
            )
        return None
    version = max(version_of(one, path) for one in plain)
    refuse_newer(version, kind.version, path)
    if kind.model is None:
        return StoredFile(path, kind, version, (parse_baselines(_text(content, path), path),))
    return StoredFile(path, kind, version, tuple(_hold(kind, one, path) for one in plain))


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is damaged: it is not UTF-8 text.") from error


def kind_of(document: object) -> Kind | None:
    """The kind of a document in JSON's types; ``None`` if it is none."""
    if not isinstance(document, dict):
        return None
    return next((kind for kind in KINDS if kind.keys <= document.keys()), None)


def version_of(document: Any, path: Path) -> int:
    """The version of a document.

    Raises:
        StoreError: it says none.
    """
    version = document.get(VERSION) if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise StoreError(f"{path} is damaged: it has no {VERSION}.")
    return version


def _hold(kind: Kind, document: Any, path: Path) -> Any:
    assert kind.model is not None  # noqa: S101 - baselines are read elsewhere
    try:
        return kind.model.validate_json(json.dumps(document))
    except RecursionError as error:
        raise StoreError(f"{path} is damaged: it is nested too deeply.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the top"
        raise StoreError(f"{path} is damaged at {where}: {first['msg']}.") from error


def _documents(content: bytes, path: Path) -> list[Any]:
    """What a file holds: one document, or one a line."""
    try:
        return [json.loads(content)]
    except (ValueError, RecursionError) as error:
        found = _lines(content)
        if found:
            return found
        raise StoreError(f"{path} is damaged: not readable as JSON ({error}).") from error


def _lines(content: bytes) -> list[Any]:
    """A document a line; none if they are no such lines. A torn last one is left out."""
    *lines, last = content.split(b"\n")
    found = []
    for line in filter(None, map(bytes.strip, lines)):
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError):
            return []
    with suppress(ValueError, RecursionError):
        found += [json.loads(last)]
    kinds = {kind_of(one) for one in found}
    return found if all(kind is not None and kind.of_lines for kind in kinds) else []
