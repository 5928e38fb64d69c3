"""The configuration of a model without a network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_llem.engines.builtin.tiny import CONFIG
from pytest_llem.engines.config_at_hand import config_at_hand, hub_cache
from pytest_llem.errors import ModelNotFoundError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_built_in_model_needs_no_file() -> None:
    assert config_at_hand("builtin/tiny") == CONFIG


def test_a_local_folder_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    assert config_at_hand(str(tmp_path)) == {"model_type": "llama"}


def test_a_hub_model_is_found_in_the_cache_by_branch_and_by_commit(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc\n")
    for commit in ("abc", "def"):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "config.json").write_text(json.dumps({"is": commit}))
    environ = {"HF_HOME": str(tmp_path)}
    assert config_at_hand("org/name", None, environ) == {"is": "abc"}
    assert config_at_hand("org/name", "def", environ) == {"is": "def"}


def test_the_cache_is_where_the_hubs_client_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    import os

    assert str(hub_cache(os.environ)) == constants.HF_HUB_CACHE


@pytest.mark.parametrize("content", [None, b"\xff", b"{", b"[]", b"[" * 100_000])
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ModelNotFoundError):
        config_at_hand(str(tmp_path))
    with pytest.raises(ModelNotFoundError, match="not on this machine"):
        config_at_hand("org/absent", None, {"HF_HOME": str(tmp_path)})
