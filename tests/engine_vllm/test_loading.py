"""Loads of their own: only one engine at a time has its core in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.engines.vllm.engine import VllmEngine
from pytest_llem.errors import EngineError, OutOfMemoryError
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.config.experiment import ExperimentConfig


def prompts(count: int) -> list[Request]:
    return [
        Request(f"r{number}", tuple(range(100 + number, 108 + number)), 12)
        for number in range(count)
    ]


def test_a_cache_that_holds_no_request_is_out_of_memory(
    config: Callable[..., ExperimentConfig],
) -> None:
    too_small = config(multiprocessing=False, extra={"kv_cache_memory_bytes": 4096})
    with pytest.raises(OutOfMemoryError, match="max_model_len"):
        VllmEngine().load(too_small)


def test_a_request_that_waits_for_another_says_how_long_until_the_session_is_closed(
    load: Callable[..., Any],
) -> None:
    with load(multiprocessing=False, max_num_seqs=1) as session:
        first, second = session.generate(prompts(2)).requests
        assert session.describe()["scheduler"]["max_num_seqs"] == 1
        assert second.scheduled_ns - second.queued_ns > first.scheduled_ns - first.queued_ns
        assert second.first_token_ns > first.finish_ns
        session.close()
        with pytest.raises(EngineError, match="closed"):
            session.generate(prompts(2))
        with pytest.raises(EngineError, match="closed"):
            session.describe()
