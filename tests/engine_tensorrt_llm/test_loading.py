"""What is asked of TensorRT-LLM, what is refused, and what took effect."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.effective import differences
from pytest_llem.engines.tensorrt_llm import installed
from pytest_llem.engines.tensorrt_llm.engine import TensorrtLlmEngine
from pytest_llem.errors import ConfigError, EngineError, MissingExtraError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[..., Any]
    SetFault = Callable[..., None]
    Workers = Callable[[], list[int]]

BACKENDS = ["pytorch", "tensorrt"]


def warnings_of(session: Any) -> list[str]:
    return differences(session._loaded.config, session.describe())


@pytest.fixture
def quantized(tmp_path: Path, load: Load) -> Callable[[str], str]:
    """A copy of the built-in model that says it is quantized."""

    def quantized(algorithm: str) -> str:
        with load() as session:
            folder = shutil.copytree(session._loaded.folder, tmp_path / "quantized")
        said = {"quantization": {"quant_algo": algorithm}}
        (folder / "hf_quant_config.json").write_text(json.dumps(said))
        return str(folder)

    return quantized


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_set_leaves_everything_but_reuse_and_times_to_the_engine(
    load: Load, backend: str
) -> None:
    from tensorrt_llm.llmapi import llm_args

    own = {"pytorch": llm_args.TorchLlmArgs, "tensorrt": llm_args.TrtLlmArgs}[backend]
    with load(backend=backend) as session:
        made = session._loaded.llm.args
        assert made.kv_cache_config.enable_block_reuse is False
        assert made.return_perf_metrics is True
        plain = own(model=made.model)
        where = {"model", "tokenizer", "backend", "return_perf_metrics", "kv_cache_config"}
        for name in own.model_fields.keys() - where:
            assert getattr(made, name) == getattr(plain, name), name
        assert made.kv_cache_config.free_gpu_memory_fraction == 0.9
        assert warnings_of(session) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_options_arrive_and_are_read_back(load: Load, backend: str) -> None:
    options = {
        "max_batch_size": 4,
        "max_num_tokens": 512,
        "max_seq_len": 256,
        "free_gpu_memory_fraction": 0.5,
        "enable_block_reuse": True,
        "kv_cache_config": {"use_uvm": True},
        "max_attention_window": (128, 256),
        "scheduler_config": {"capacity_scheduler_policy": "MAX_UTILIZATION"},
        "enable_chunked_prefill": True,
    }
    with load(backend=backend, **options) as session:
        cache = session._loaded.llm.args.kv_cache_config
        assert (cache.free_gpu_memory_fraction, cache.enable_block_reuse) == (0.5, True)
        assert (cache.use_uvm, cache.max_attention_window) == (True, [128, 256])
        assert warnings_of(session) == []
        described = session.describe()
        assert described["limits"]["max_batch_size"] == 4
        assert described["positions"] == 256
        assert described["arguments"]["scheduler_config"]["capacity_scheduler_policy"] == (
            "MAX_UTILIZATION"
        )
        json.dumps(described)


def test_a_speculation_is_of_the_class_that_its_type_names(load: Load) -> None:
    asked = {"decoding_type": "NGram", "max_draft_len": 3, "max_matching_ngram_size": 2}
    with load(speculative_config=asked) as session:
        made = session._loaded.llm.args.speculative_config
        assert type(made).__name__ == "NGramDecodingConfig"
        assert warnings_of(session) == []


def test_the_pytorch_backend_computes_in_the_models_own_type(load: Load) -> None:
    with load(dtype="float32") as session:
        assert session.describe()["dtype"] == "bfloat16"
        assert warnings_of(session) == ["dtype='float32' was asked for, but 'bfloat16' took effect"]
    with load(dtype="float32", backend="tensorrt") as session:
        assert session.describe()["dtype"] == "float32"
        assert session.describe()["shape"] is None, "weights were converted"
        assert warnings_of(session) == []


def test_a_limit_that_the_engine_lowers_is_a_difference(load: Load, fault: SetFault) -> None:
    fault("fewer-requests")
    with load(max_batch_size=8) as session:
        assert warnings_of(session) == ["max_batch_size=8 was asked for, but 1 took effect"]


def test_a_build_config_is_made_of_limits_fields_and_plugins(load: Load) -> None:
    build = {"opt_batch_size": 2, "plugin_config": {"gemm_plugin": "auto"}}
    with load(backend="tensorrt", max_seq_len=99, build_config=build) as session:
        built = session.describe()["build"]["config"]
        assert (built["opt_batch_size"], built["max_seq_len"]) == (2, 99)
        assert built["plugin_config"]["gemm_plugin"] == "auto"
        assert warnings_of(session) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"extra": {"max_batch_sizes": 3}},
            r"has a field of its own|Did you mean 'max_batch_size'",
        ),
        ({"extra": {"max_batch_size": 3}}, r"set tensorrt_llm\.max_batch_size instead"),
        ({"extra": {"enable_build_cache": True}}, "LLEM_TENSORRT_LLM_ENGINES"),
        ({"extra": {"dtype": "float16"}}, "set dtype instead"),
        ({"kv_cache_config": {"reuse": 1}}, r"kv_cache_config: TensorRT-LLM refuses .*reuse"),
        ({"moe_config": {"backend": "CUTLASS", "x": 1}}, r"moe_config: TensorRT-LLM refuses"),
        ({"speculative_config": {"max_draft_len": 1}}, "needs decoding_type"),
        ({"speculative_config": {"decoding_type": "Magic"}}, "Invalid decoding type: Magic"),
        (
            {"tokens_per_block": 64, "kv_cache_config": {"tokens_per_block": 32}},
            "set the same. Drop one",
        ),
        (
            {"backend": "tensorrt", "build_config": {"opt_batch": 1}},
            r"build_config: TensorRT-LLM refuses .*opt_batch",
        ),
        (
            {"backend": "tensorrt", "build_config": {"plugin_config": {"gem_plugin": "auto"}}},
            "Did you mean 'gemm_plugin'",
        ),
        (
            {"backend": "tensorrt", "max_seq_len": 9, "build_config": {"max_seq_len": 8}},
            "set the same. Drop one",
        ),
        (
            {"backend": "tensorrt", "quant_config": {"quant_algo": "W4A16_AQW"}},
            "Did you mean 'W4A16_AWQ'",
        ),
        (
            {
                "backend": "tensorrt",
                "quantization": "fp8",
                "quant_config": {"quant_algo": "FP8"},
            },
            "both say how to quantize",
        ),
    ],
)
def test_what_tensorrt_llm_does_not_know_is_refused(
    load: Load, workers: Workers, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said), load(**options):
        pass
    assert workers() == []


@pytest.mark.parametrize(
    ("backend", "options", "other"),
    [
        ("pytorch", {"fast_build": True}, "tensorrt"),
        ("pytorch", {"build_config": {"opt_batch_size": 1}}, "tensorrt"),
        ("pytorch", {"quant_config": {"quant_algo": "FP8"}}, "tensorrt"),
        ("tensorrt", {"attn_backend": "FLASHINFER"}, "pytorch"),
        ("tensorrt", {"cuda_graph_config": {"batch_sizes": [1]}}, "pytorch"),
    ],
)
def test_an_option_of_the_other_backend_is_refused(
    load: Load, backend: str, options: dict[str, Any], other: str
) -> None:
    with (
        pytest.raises(EngineError, match=f"tensorrt_llm.backend='{other}' only"),
        load(backend=backend, **options),
    ):
        pass


@pytest.mark.parametrize(
    ("quantization", "algorithm"),
    [("int8", "W8A16"), ("int4", "W4A16"), ("fp8", "FP8"), ("gptq", "W4A16_GPTQ")],
)
def test_the_compiled_path_quantizes_while_it_builds(
    load: Load, quantization: str, algorithm: str
) -> None:
    with load(backend="tensorrt", quantization=quantization) as session:
        assert session.describe()["quantization"] == algorithm
        assert session.describe()["shape"] is None
        assert warnings_of(session) == []
    with (
        pytest.raises(EngineError, match=r"takes weights as they are, and this model is not"),
        load(quantization=quantization),
    ):
        pass


def test_the_pytorch_backend_takes_weights_that_are_quantized_already(
    load: Load, quantized: Callable[[str], str]
) -> None:
    model = quantized("FP8")
    with load(model=model, quantization="fp8") as session:
        assert session.describe()["quantization"] == "FP8"
        assert warnings_of(session) == []
    with (
        pytest.raises(EngineError, match="is quantized as FP8"),
        load(model=model, quantization="awq"),
    ):
        pass


@pytest.mark.parametrize(
    ("fault_name", "kind", "said"),
    [
        ("oom-load", OutOfMemoryError, r"insufficient GPU memory.*Try a smaller tensorrt_llm\."),
        ("unknown-architecture", EngineError, "does not have the model's architecture"),
        ("strange", EngineError, "RuntimeError: something that nobody has seen before"),
        ("no-mpi", EngineError, "libmpi.*apt-get install libopenmpi-dev"),
        ("no-driver", EngineError, "libcuda.*NVIDIA's driver, which is missing here"),
    ],
)
def test_a_fault_while_loading_says_what_helps(  # noqa: PLR0913, PLR0917 - fixtures
    load: Load,
    fault: SetFault,
    workers: Workers,
    fault_name: str,
    kind: type[Exception],
    said: str,
) -> None:
    fault(fault_name)
    with pytest.raises(kind, match=said), load():
        pass
    assert workers() == []


def test_a_gpu_without_bfloat16_is_told_so(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLEM_TEST_TRT_SM", "75")
    with pytest.raises(EngineError, match="Use dtype='float16'"), load(dtype="bfloat16"):
        pass


@pytest.mark.parametrize("version", ["1.1.0", "0.21.0rc1"])
def test_a_version_that_is_too_old_is_refused(
    load: Load, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("LLEM_TEST_TRT_VERSION", version)
    with (
        pytest.raises(EngineError, match=rf"{version} is installed, .* needs 1\.2 or newer"),
        load(),
    ):
        pass


def test_without_the_package_the_error_says_where_it_is(
    double: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(double)])
    with pytest.raises(MissingExtraError, match="LLEM_TENSORRT_LLM_IMAGE"):
        TensorrtLlmEngine().load(ExperimentConfig(backend="tensorrt_llm"))


def test_an_installed_package_is_not_imported_without_a_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.2.1")
    with pytest.raises(EngineError, match="there is no NVIDIA driver"):
        installed.import_tensorrt_llm("pytorch", has_driver=lambda: False)
    assert "tensorrt_llm" not in sys.modules


def test_a_version_that_compiles_nothing_is_told_so(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_llm._tensorrt_engine", None)
    with pytest.raises(EngineError, match="compiles no engines any more"), load(backend="tensorrt"):
        pass


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_another_device_is_refused(load: Load, device: str) -> None:
    with pytest.raises(EngineError, match="NVIDIA GPUs only"), load(device=device):
        pass


def test_a_numbered_device_is_the_only_one_that_the_engine_sees(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa,GPU-bb")
    with load(device="cuda:1") as session:
        assert session.describe()["environment"]["CUDA_VISIBLE_DEVICES"] == "GPU-bb"


def test_an_adapter_is_used_by_every_request(load: Load, tmp_path: Path) -> None:
    with load(lora_config={"lora_dir": [str(tmp_path)], "max_lora_rank": 8}) as session:
        request = session._loaded.generate_arguments["lora_request"]
        assert (request.lora_int_id, request.lora_path) == (1, str(tmp_path))


def test_neither_the_registry_nor_the_engines_module_imports_the_package(double: Path) -> None:
    program = (
        "import sys\n"
        "from pytest_llem.engines import ENGINES\n"
        "ENGINES.load('tensorrt_llm')\n"
        "print([one for one in ('tensorrt_llm', 'torch', 'transformers') if one in sys.modules])"
    )
    path = [str(double), *(one for one in sys.path if one)]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_stand_in_takes_the_arguments_of_the_committed_list() -> None:
    from dataclasses import fields

    from tensorrt_llm.llmapi import SamplingParams
    from tensorrt_llm.llmapi.llm_args import TorchLlmArgs, TrtLlmArgs

    import pytest_llem.config

    file = Path(pytest_llem.config.__file__).parent / "coverage" / "tensorrt_llm-1.2.1.json"
    listed = {
        group["name"]: {*group["affects"], *group["excluded"]}
        for group in json.loads(file.read_text())["groups"]
    }
    public = {field.name for field in fields(SamplingParams) if not field.name.startswith("_")}
    assert listed == {
        "LLM": {*TorchLlmArgs.model_fields, *TrtLlmArgs.model_fields},
        "SamplingParams": public,
    }
