"""What holds for every format that is a file."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import ExportError
from pytest_llem.reports.exporters import EXPORTERS
from pytest_llem.runs.exporting import Export as Asked

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Export, Make

FORMATS = [name for name in EXPORTERS.names() if getattr(EXPORTERS.load(name), "writes_file", True)]


@pytest.fixture(params=FORMATS)
def exporter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_same_run_gives_the_same_bytes(export: Export, exporter: str) -> None:
    writer, written = EXPORTERS.load(exporter)(), []
    for _ in range(2):
        writer.export([export.experiment("a"), export.experiment("b")], export.path)
        written.append(export.path.read_bytes())
    assert written[0] == written[1]


def test_a_full_disk_leaves_what_was_there(
    export: Export, exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "it").write_text("before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=r"cannot write .*it: the disk is full") as error:
        Asked(exporter, tmp_path / "it").write([export.experiment()])
    assert "Results are kept" in str(error.value)
    assert (tmp_path / "it").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_a_directory_without_permission_is_told(
    export: Export, exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object, **further: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pathlib.Path.open", refused)
    with pytest.raises(ExportError, match="permission is denied"):
        Asked(exporter, tmp_path / "it").write([export.experiment()])


def test_experiments_of_which_nothing_is_known_are_written(
    export: Export, make: Make, exporter: str
) -> None:
    EXPORTERS.load(exporter)().export([], export.path)
    crashed = export.experiment("a", make.measured(), outcome="crashed", message=None)
    EXPORTERS.load(exporter)().export([crashed], export.path)
    if exporter != "parquet":
        assert not re.search(r"\bnan\b", export.path.read_text(encoding="utf-8"), re.IGNORECASE)
