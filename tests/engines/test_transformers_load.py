"""Loading with the transformers engine: what takes effect, and every way it can fail."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llem.config.engines import TransformersOptions
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines import ENGINES
from pytest_llem.engines.builtin import tiny
from pytest_llem.engines.builtin.store import materialize
from pytest_llem.engines.transformers.session import TransformersSession
from pytest_llem.errors import (
    ConfigError,
    EngineError,
    MissingExtraError,
    ModelNotFoundError,
    OutOfMemoryError,
)
from pytest_llem.workloads.request import Request

pytestmark = pytest.mark.usefixtures("torch")
REQUEST = Request("r", tuple(range(2, 12)), 4)
SOURCE = Path(__file__).parents[2] / "src"


def load(**fields: Any) -> TransformersSession:
    options = TransformersOptions(**fields.pop("options", {}))
    config = ExperimentConfig(**{"device": "cpu", **fields}, transformers=options)
    loaded = ENGINES.load("transformers")().load(config)
    assert isinstance(loaded, TransformersSession)
    return loaded


@pytest.fixture
def folder(cache: Path, tmp_path: Path) -> Path:
    """A local model that a test may change."""
    built = materialize(tiny, {"LLEM_CACHE_DIR": str(cache)})
    return Path(shutil.copytree(built, tmp_path / "model"))


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_description_says_what_took_effect(torch: Any, session: TransformersSession) -> None:
    described = session.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["device"] == "cpu"
    assert described["device_uuids"] == []
    assert described["dtype"] == "float32"
    assert described["dtype_is_native"] is True
    assert described["attn_implementation"] == "sdpa"
    assert described["threads"] == 2
    assert described["parameters"] == 5_771_264
    assert described["quantization"] is None
    assert described["model"]["kind"] == "builtin"
    assert described["model"]["sha256"] == tiny.SHA256
    assert described["versions"]["torch"] == torch.__version__
    assert {"transformers", "tokenizers", "python"} <= described["versions"].keys()
    assert described["generation"]["decoding"] == "greedy"


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_data_type_takes_effect(dtype: str) -> None:
    loaded = load(dtype=dtype)
    assert loaded.describe()["dtype"] == dtype
    assert {str(weight.dtype) for weight in loaded._loaded.model.parameters()} == {f"torch.{dtype}"}
    assert loaded.generate([REQUEST]).output_tokens == 4


def test_auto_takes_the_data_type_and_device_of_the_model(folder: Path) -> None:
    assert load().describe()["dtype"] == "bfloat16"
    rewrite(folder / "config.json", dtype="float16")
    assert load(model=str(folder)).describe()["dtype"] == "float16"


def test_all_data_types_hold_the_same_weights(torch: Any) -> None:
    full, half = (load(dtype=dtype)._loaded.model.state_dict() for dtype in ("float32", "float16"))
    assert all(torch.equal(full[name], half[name].float()) for name in full)


@pytest.mark.parametrize(
    "options", [{"attn_implementation": "eager"}, {"cache_implementation": "static"}]
)
def test_another_kernel_or_cache_gives_the_same_tokens(
    session: TransformersSession, options: dict[str, Any]
) -> None:
    loaded = load(dtype="float32", options=options)
    described = loaded.describe()
    assert options.items() <= (described | described["generation"]).items()
    expected = session.generate([REQUEST]).requests[0].token_ids
    assert loaded.generate([REQUEST]).requests[0].token_ids == expected


def test_extra_reaches_from_pretrained() -> None:
    loaded = load(options={"extra": {"max_position_embeddings": 13}})
    assert loaded.describe()["positions"] == 13
    with pytest.raises(EngineError, match="13 positions"):
        loaded.generate([REQUEST])


def test_torch_compile_compiles_the_model(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []

    def compile_(model: Any) -> None:
        compiled.append(model)

    monkeypatch.setattr(torch.nn.Module, "compile", compile_)
    assert load().describe()["generation"]["torch_compile"] is False
    assert compiled == []
    loaded = load(options={"torch_compile": True})
    assert compiled == [loaded._loaded.model]
    assert loaded.describe()["generation"]["torch_compile"] is True


@pytest.mark.parametrize(
    ("device", "kind", "asked", "by_us", "by_generate"),
    [
        ("cpu", "static", True, True, False),
        ("cuda", None, True, True, False),
        ("cuda", "static", True, False, True),
        ("cuda", "static", False, False, False),
    ],
)
def test_a_decode_step_is_compiled_once_or_not_at_all(
    device: str, kind: str | None, asked: bool, by_us: bool, by_generate: bool
) -> None:
    from pytest_llem.engines.transformers.load import compile_if_asked

    compiled: list[bool] = []
    model = SimpleNamespace(
        device=SimpleNamespace(type=device), compile=lambda: compiled.append(True)
    )
    options = TransformersOptions(cache_implementation=kind, torch_compile=asked)
    assert compile_if_asked(model, options) is by_generate
    assert compiled == [True] * by_us


def test_generate_compiles_nothing_unasked(session: TransformersSession) -> None:
    assert session._loaded.generation_config(3).disable_compile is True


def test_a_local_folder_works_like_the_built_in_model(
    folder: Path, session: TransformersSession
) -> None:
    loaded = load(model=str(folder), dtype="float32")
    described = loaded.describe()["model"]
    assert (described["kind"], described["sha256"]) == ("local", None)
    expected = session.generate([REQUEST]).requests[0].token_ids
    assert loaded.generate([REQUEST]).requests[0].token_ids == expected


def test_a_downloaded_hub_model_works_like_the_built_in_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: TransformersSession
) -> None:
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(folder, repository / "snapshots" / commit)
    attempts: list[Any] = []

    def unreachable(*arguments: Any) -> None:
        attempts.append(arguments)
        assert len(attempts) <= 2, "ours, and one of the hub client's own not about the model"
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    for variable in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    loaded = load(model="org/name", dtype="float32")
    assert attempts
    described = loaded.describe()["model"]
    assert (described["kind"], described["revision"]) == ("hub", commit)
    expected = session.generate([REQUEST]).requests[0].token_ids
    assert loaded.generate([REQUEST]).requests[0].token_ids == expected


def test_the_authors_sampling_and_penalties_are_not_used(
    folder: Path, session: TransformersSession
) -> None:
    expected = session.generate([REQUEST]).requests[0].token_ids
    rewrite(
        folder / "generation_config.json",
        do_sample=True,
        temperature=2.0,
        suppress_tokens=list(expected or ()),
        max_length=12,
        eos_token_id=[0, 7],
    )
    loaded = load(model=str(folder), dtype="float32")
    assert loaded.generate([REQUEST]).requests[0].token_ids == expected
    assert loaded.describe()["generation"]["end_ids"] == [0, 7]
    assert loaded.tokenizer.special_token_ids == {0, 1, 7}


def test_nothing_is_sent_anywhere_and_the_environment_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **keywords: Any) -> None:
        raise AssertionError(f"a connection to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = dict(os.environ)
    for model in ("builtin/tiny", str(folder)):
        load(model=model).generate([REQUEST])
    assert dict(os.environ) == before


def test_loading_and_generating_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    load().generate([REQUEST, REQUEST])
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled() == shown


def test_a_real_warning_is_not_hidden(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    load(model=str(folder), options={"extra": {"num_hidden_layers": 5}})
    assert "UNEXPECTED" in capfd.readouterr().err + caplog.text


def test_threads_are_set_unless_the_environment_does(
    torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(5)))
    load()
    assert asked == []
    monkeypatch.delenv("OMP_NUM_THREADS")
    load()
    assert asked == [1]  # layers too small to share


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({"model": "builtin/tinny"}, ModelNotFoundError, "builtin/tiny"),
        ({"model": "./no/such/model"}, ModelNotFoundError, "does not exist"),
        ({"tensor_parallel_size": 2}, EngineError, "tensor_parallel_size=2"),
        ({"pipeline_parallel_size": 2}, EngineError, "pipeline_parallel_size=2"),
        ({"device": "tpu"}, EngineError, "auto, cpu, cuda or cuda:N"),
        ({"quantization": "int8"}, EngineError, "needs a CUDA device"),
        ({"quantization": "int4"}, EngineError, "needs a CUDA device"),
        ({"quantization": "awq"}, EngineError, "are not quantized"),
        ({"options": {"cache_implementation": "offloaded"}}, EngineError, "from a GPU to the host"),
        ({"options": {"extra": {"dtype": "x"}}}, ConfigError, "set dtype instead"),
        ({"options": {"extra": {"nonsense": 1}}}, EngineError, "nonsense"),
    ],
)
def test_what_is_not_possible_is_a_clear_error(
    fields: dict[str, Any], kind: type[Exception], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        load(**fields)


def test_cuda_on_a_machine_without_it_says_what_to_do(torch: Any) -> None:
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    with pytest.raises(EngineError, match="use device='cpu'"):
        load(device="cuda")


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    rewrite(folder / "config.json", attention_bias=True)
    with pytest.raises(EngineError, match=r"lack 24 tensors, such as .*bias"):
        load(model=str(folder))


def test_a_corrupt_weights_file_is_a_clear_error(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    with pytest.raises(EngineError, match=r"could not load the model .*SafetensorError"):
        load(model=str(folder))


def test_an_unknown_architecture_is_a_clear_error(folder: Path) -> None:
    rewrite(folder / "config.json", model_type="qwen99", architectures=["Qwen99ForCausalLM"])
    with pytest.raises(EngineError, match="qwen99"):
        load(model=str(folder))


def test_a_model_without_a_tokenizer_is_a_clear_error(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(EngineError, match="could not load the model"):
        load(model=str(folder))


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package} .*pytest-llem\[transformers\]"):
        load()


def test_a_package_that_cannot_be_imported_is_not_called_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("import a_library_that_is_not_there")
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EngineError, match="a_library_that_is_not_there") as caught:
        load()
    assert not isinstance(caught.value, MissingExtraError)


def test_device_map_without_accelerate_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_llem.engines.transformers.options.find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match="accelerate"):
        load(options={"device_map": "auto"})


def test_no_memory_for_the_weights_is_a_clear_error(
    torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **keywords: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", full)
    with pytest.raises(OutOfMemoryError, match=r"could not load the model .*smaller dtype"):
        load()


def test_no_memory_for_the_batch_is_a_clear_error_and_the_session_lives_on(cache: Path) -> None:
    code = """
import resource
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.transformers.engine import TransformersEngine
from pytest_llem.errors import OutOfMemoryError
from pytest_llem.workloads.request import Request
session = TransformersEngine().load(ExperimentConfig(device="cpu"))
small = Request("small", (5, 6, 7), 2)
session.generate([small])
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (256 << 20), -1))
try:
    session.generate([Request(str(n), (5,) * 4000, 2) for n in range(64)])
except OutOfMemoryError as error:
    print(error)
print(session.generate([small]).output_tokens)
"""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "LLEM_CACHE_DIR": str(cache)}
    child = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    message, after = child.stdout.splitlines() or (child.stderr, "")
    assert "could not generate 2 tokens for 64 prompts of 4000" in message
    assert "Lower batch_size, input_tokens or output_tokens" in message
    assert after == "2"


def test_a_closed_session_says_so() -> None:
    loaded = load()
    loaded.close()
    loaded.close()
    for use in (lambda: loaded.generate([REQUEST]), loaded.describe, loaded.synchronize):
        with pytest.raises(EngineError, match="closed"):
            use()


def test_closing_frees_the_weights() -> None:
    import weakref

    loaded = load()
    loaded.generate([REQUEST])
    weight = weakref.ref(loaded._loaded.model)
    loaded.close()
    assert weight() is None


def test_the_engine_is_registered_and_imports_no_library() -> None:
    code = (
        "import sys; from pytest_llem.engines import ENGINES; "
        "import pytest_llem.workloads.batch; engine = ENGINES.load('transformers')(); "
        "print(engine.name, sorted({'torch', 'transformers', 'numpy'} & sys.modules.keys()))"
    )
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert output == "transformers []\n"
