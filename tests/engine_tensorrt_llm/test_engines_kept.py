"""Compiled engines: built once for what they depend on, complete or not at all."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llem.engines.tensorrt_llm.build_cache import BuildCache, engines_dir, key_of
from pytest_llem.engines.tensorrt_llm.building import BUILD_ONLY, RUN_ONLY, engine_facts
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[..., Any]
    SetFault = Callable[..., None]

FACTS = {"model": "m", "arguments": {"max_seq_len": 9}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


def build(into: Path) -> None:
    (into / "config.json").write_text("{}")
    (into / "rank0.engine").write_bytes(b"plan" * 100)


def refuse(into: Path) -> None:
    raise AssertionError("there was nothing to build")


def built(load: Load, **options: Any) -> dict[str, Any]:
    with load(backend="tensorrt", **options) as session:
        return dict(session.describe()["build"])


PLAIN: list[str] = []


@pytest.fixture
def plain_key(load: Load) -> str:
    """The key of an engine with nothing set, which is the same wherever it lies."""
    if not PLAIN:
        PLAIN.append(built(load)["key"])
    return PLAIN[0]


def test_an_engine_is_built_once(load: Load) -> None:
    first, again = built(load), built(load)
    assert (first["reused"], again["reused"]) == (False, True)
    assert first["key"] == again["key"]
    assert first["build_s"] == again["build_s"] > 0
    assert Path(first["folder"]).is_dir()


@pytest.mark.parametrize(
    "options",
    [
        {"max_seq_len": 128},
        {"max_batch_size": 16},
        {"max_num_tokens": 1024},
        {"max_input_len": 512},
        {"dtype": "float16"},
        {"quantization": "int8"},
        {"quant_config": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}},
        {"tensor_parallel_size": 2},
        {"pipeline_parallel_size": 2},
        {"fast_build": True},
        {"build_config": {"plugin_config": {"gemm_plugin": "auto"}}},
        {"build_config": {"opt_batch_size": 3}},
        {"calib_config": {"calib_batches": 3}},
        {"embedding_parallel_mode": "NONE"},
    ],
    ids=str,
)
def test_another_build_is_another_engine(
    load: Load, plain_key: str, options: dict[str, Any]
) -> None:
    assert built(load, **options)["key"] != plain_key


@pytest.mark.parametrize(
    "options",
    [
        {"free_gpu_memory_fraction": 0.5},
        {"enable_block_reuse": True},
        {"scheduler_config": {"capacity_scheduler_policy": "MAX_UTILIZATION"}},
        {"streaming": True},
        {"batch_size": 7, "output_tokens": 3},
    ],
    ids=str,
)
def test_what_only_the_run_needs_builds_nothing(load: Load, options: dict[str, Any]) -> None:
    built(load)
    assert built(load, **options)["reused"]


def test_the_content_of_a_model_decides_and_not_its_place(load: Load, tmp_path: Path) -> None:
    with load() as session:
        original = session._loaded.folder
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        shutil.copytree(original, folder)
    first = built(load, model=str(here))
    assert built(load, model=str(there))["key"] == first["key"]
    weights = next(there.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert built(load, model=str(there))["key"] != first["key"]


def test_versions_gpus_and_switches_belong_to_the_key(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    with load(backend="tensorrt") as session:
        loaded = session._loaded
        gpu = {"name": "NVIDIA H100", "compute_capability": "9.0"}
        facts = engine_facts(
            {"dtype": "auto"}, loaded.source, loaded.folder, loaded.installed, [gpu]
        )
        other = {**gpu, "name": "NVIDIA L4", "compute_capability": "8.9"}
        moved = engine_facts(
            {"dtype": "auto"}, loaded.source, loaded.folder, loaded.installed, [other]
        )
        monkeypatch.setenv("TRTLLM_ENABLE_PDL", "1")
        switched = engine_facts({}, loaded.source, loaded.folder, loaded.installed, [gpu])
    assert facts["tensorrt_llm"] == "1.2.1"
    assert {"tensorrt", "cuda", "model", "gpus", "arguments"} <= facts.keys()
    assert key_of(facts) != key_of(moved)
    assert switched["environment"]["TRTLLM_ENABLE_PDL"] == "1"


def test_an_upgrade_builds_again(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    first = built(load)
    monkeypatch.setenv("LLEM_TEST_TRT_VERSION", "1.3.0rc1")
    for name in [name for name in sys.modules if name.startswith("tensorrt_llm")]:
        del sys.modules[name]
    assert built(load)["key"] != first["key"]


def test_arguments_are_of_the_build_or_of_the_run() -> None:
    from tensorrt_llm.llmapi.llm_args import TrtLlmArgs

    assert not BUILD_ONLY & RUN_ONLY
    assert TrtLlmArgs.model_fields.keys() >= BUILD_ONLY


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda entry: (entry / "engine/rank0.engine").unlink(), "rank0.engine is missing"),
        (
            lambda entry: (entry / "engine/rank0.engine").write_bytes(b"\0" * 2048),
            "rank0.engine is damaged",
        ),
        (lambda entry: (entry / "engine/more").write_text("x"), "more does not belong"),
        (lambda entry: (entry / "entry.json").write_text("{"), "cannot be read"),
        (lambda entry: (entry / "entry.json").write_text("[]"), "cannot be read"),
        (lambda entry: (entry / "entry.json").unlink(), "cannot be read"),
    ],
    ids=["missing", "damaged", "more", "torn", "no object", "half-written"],
)
def test_a_damaged_engine_is_built_again(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    cache = BuildCache(tmp_path)
    spoil(cache.obtain(FACTS, build).folder.parent)
    again = cache.obtain(FACTS, build)
    assert not again.reused
    assert said in (again.rebuilt_because or "")
    assert cache.obtain(FACTS, refuse).reused


def test_a_damaged_engine_is_never_loaded(load: Load) -> None:
    first = built(load)
    Path(first["folder"], "rank0.engine").write_bytes(b"another engine")
    again = built(load)
    assert (again["reused"], again["rebuilt_because"]) == (False, "rank0.engine is damaged")


def test_an_engine_that_lies_in_anothers_place_is_not_used(load: Load, tmp_path: Path) -> None:
    one, other = built(load), built(load, max_seq_len=64)
    root = tmp_path / "engines"
    shutil.rmtree(root / one["key"])
    shutil.copytree(root / other["key"], root / one["key"])
    again = built(load)
    assert again["rebuilt_because"] == "it describes another engine"
    assert again["config"]["max_seq_len"] != 64


def test_what_a_killed_process_left_is_removed(load: Load, tmp_path: Path) -> None:
    key = built(load)["key"]
    leftover = tmp_path / "engines" / f".building-{key}-x" / "entry"
    leftover.mkdir(parents=True)
    assert built(load)["reused"]
    assert not leftover.exists()


def test_a_build_that_fails_leaves_nothing_behind(
    load: Load, fault: SetFault, tmp_path: Path
) -> None:
    fault("build-fails")
    with pytest.raises(EngineError, match="Engine building failed"):
        built(load)
    assert [one.suffix for one in (tmp_path / "engines").iterdir()] == [".lock"]
    fault()
    assert not built(load)["reused"]


def test_a_place_that_cannot_be_written_is_named(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLEM_TENSORRT_LLM_ENGINES", str(tmp_path / "file" / "x"))
    with pytest.raises(EngineError, match="name another one in LLEM_TENSORRT_LLM_ENGINES"):
        built(load)


def test_engines_lie_in_the_cache_unless_a_variable_says_otherwise(tmp_path: Path) -> None:
    assert engines_dir({}, tmp_path) == tmp_path
    assert engines_dir({"LLEM_TENSORRT_LLM_ENGINES": "/x"}, tmp_path) == Path("/x")


def test_an_engine_without_files_is_none(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="left no file"):
        BuildCache(tmp_path).obtain(FACTS, lambda into: None)
    assert not list(tmp_path.glob("*/entry.json"))


def _obtain_slowly(root: Path, tally: Path) -> None:
    def slowly(into: Path) -> None:
        with tally.open("a") as file:
            file.write("built\n")
        time.sleep(0.3)
        build(into)

    assert BuildCache(root).obtain(FACTS, slowly).bytes == 402


def test_processes_that_want_the_same_engine_build_it_once(tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    context = multiprocessing.get_context("fork")
    jobs = [context.Process(target=_obtain_slowly, args=(tmp_path, tally)) for _ in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 4
    assert tally.read_text() == "built\n"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(which=st.integers(0, 2), place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_whatever_byte_is_changed_the_engine_is_complete(
    tmp_path_factory: pytest.TempPathFactory, which: int, place: int, flip: int
) -> None:
    root = tmp_path_factory.mktemp("engines")
    entry = BuildCache(root).obtain(FACTS, build).folder.parent
    file = sorted(one for one in entry.rglob("*") if one.is_file())[which]
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= flip
    file.write_bytes(bytes(content))
    engine = BuildCache(root).obtain(FACTS, build)
    assert (engine.folder / "rank0.engine").read_bytes() == b"plan" * 100
    assert BuildCache(root).obtain(FACTS, refuse).reused


@given(facts=st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_key_depends_on_values_and_not_on_their_order(facts: dict[str, Any]) -> None:
    turned = dict(reversed(list(facts.items())))
    assert key_of(facts) == key_of(turned) == key_of(json.loads(json.dumps(facts)))
    assert key_of({**facts, "more": 1}) != key_of({**facts, "more": 2})
