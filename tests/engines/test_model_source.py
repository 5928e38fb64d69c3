"""Finding a model: built in, in a folder, on the hub, or clearly not at all."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from pytest_llem.engines.builtin import tiny
from pytest_llem.engines.hub import find_on_hub, hub_answers
from pytest_llem.engines.model_source import resolve_model
from pytest_llem.errors import EngineError, MissingExtraError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ERROR_CODES = {
    "org/missing": (404, "RepoNotFound"),
    "org/gated": (403, "GatedRepo"),
    "org/no-config": (404, "EntryNotFound"),
    "org/no-revision": (404, "RevisionNotFound"),
    "org/odd": (400, ""),
}


class Hub(BaseHTTPRequestHandler):
    """Answers like the hub: one good model, and one for each of its errors."""

    def do_HEAD(self) -> None:
        model = "/".join(self.path.split("/")[1:3])
        status, code = ERROR_CODES.get(model, (200, ""))
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.send_header("ETag", '"etag"')
        self.send_header("X-Repo-Commit", COMMIT)
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        """Nothing on the captured output."""


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of downloads, and no hub that would answer."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # discard: nobody listens
    for variable in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    return tmp_path / "hub"


@pytest.fixture
def hub(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of a hub on this machine."""
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield endpoint
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_builtin_model_is_a_folder_with_a_digest(cache: Path) -> None:
    found = resolve_model("builtin/tiny", None)
    assert found.path_or_id.startswith(str(cache))
    assert (found.kind, found.revision, found.offline) == ("builtin", None, True)
    assert found.sha256 == tiny.SHA256


@pytest.mark.parametrize("name", ["builtin/tinny", "builtin/", "builtin/tiny/"])
def test_an_unknown_builtin_model_names_the_known_one(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"builtin/tiny'?[.?]"):
        resolve_model(name, None)


def test_a_folder_is_found_relative_absolute_and_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (str(folder), "models/mine", "./models/mine", "~/models/mine"):
        found = resolve_model(name, None)
        assert (found.path_or_id, found.kind, found.offline) == (str(folder), "local", True)


@pytest.mark.parametrize("name", ["./nope", "../nope", "/no/such/folder", "~/nope", "a/b/c"])
def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"does not exist.*config\.json"):
        resolve_model(name, None)


def test_a_folder_without_a_configuration_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"there is no .*config\.json"):
        resolve_model(str(tmp_path), None)


def test_only_hub_models_have_revisions(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name in ("builtin/tiny", str(tmp_path)):
        with pytest.raises(ModelNotFoundError, match="no revision 'main'"):
            resolve_model(name, "main")


def test_a_hub_model_is_found_by_its_commit(hub: str) -> None:
    found = resolve_model("org/good", "main")
    assert (found.path_or_id, found.revision, found.kind) == ("org/good", COMMIT, "hub")
    assert not found.offline
    assert found.sha256 is None


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        ("org/missing", "Check the spelling"),
        ("org/gated", "accept its terms at https://huggingface.co/org/gated"),
        ("org/no-config", "no config.json"),
        ("org/no-revision", "Its revisions are listed at"),
    ],
)
def test_what_the_hub_refuses_is_explained(hub: str, model: str, advice: str) -> None:
    with pytest.raises(ModelNotFoundError, match=advice):
        resolve_model(model, "v2" if "revision" in model else None)


def test_an_odd_answer_of_the_hub_is_shown(hub: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"the hub cannot be asked for it \(Bad request"):
        resolve_model("org/odd", None)


def test_a_download_that_cannot_be_kept_is_an_engine_error(hub: str, hub_cache: Path) -> None:
    hub_cache.write_text("a file where a folder should be")
    with pytest.raises(EngineError, match=r"could not fetch .* 'org/good'") as caught:
        resolve_model("org/good", None)
    assert not isinstance(caught.value, ModelNotFoundError)


def test_an_unreachable_hub_is_a_clear_error_at_once(hub_cache: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no connection.*hf download org/name"):
        resolve_model("org/name", None)


def test_a_name_that_no_hub_model_can_have_is_refused(hub_cache: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="neither a folder here nor a possible hub id"):
        resolve_model("not a model", None)


def test_a_downloaded_model_needs_no_hub(hub_cache: Path) -> None:
    repository = hub_cache / "models--org--name"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    found = resolve_model("org/name", None)
    assert (found.revision, found.offline) == (COMMIT, True)


def test_the_hub_is_asked_unless_that_is_hopeless(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert not hub_answers()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:1")
    assert hub_answers()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub_answers()


def test_a_missing_hub_client_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pytest-llem\[transformers\]"):
        find_on_hub("org/name", None)
