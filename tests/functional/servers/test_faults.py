"""What goes wrong with a server is counted by kind, makes windows invalid, and is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.latency import ACCURACY

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Server = Callable[..., str]
    Measured = Callable[..., tuple[pytest.RunResult, dict[str, Any]]]
    MeasuredAll = Callable[..., tuple[pytest.RunResult, dict[str, dict[str, Any]]]]

SOON = "--llem-set=openai.stall_timeout_s=0.3"


KINDS = {
    "stall": "stalled",
    "reset": "disconnected",
    "http_429": "http_429",
    "http_500": "http_500",
    "malformed": "malformed",
    "no_choices": "malformed",
    "truncated": "truncated",
    "error_inside": "server_error",
    "wrong_usage": "contradiction",
    "whole": "not_streamed",
}
HARMLESS = ("comments", "no_done", "crlf")


def test_failures_are_counted_by_kind_and_make_windows_invalid(
    server: Server, measured_all: MeasuredAll
) -> None:
    urls = {fault: server(faults=["ok", "ok", fault], gap_s=0.001) for fault in KINDS}
    outcome, results = measured_all(urls, SOON)
    assert results.keys() == KINDS.keys()
    for fault, kind in KINDS.items():
        (found,) = results[fault]["measurements"]
        traffic = found["traffic"]
        assert traffic["failures"].keys() == {kind}
        assert traffic["failed"] == traffic["failures"][kind] > 0
        assert traffic["served"] > traffic["failed"]
        assert not found["valid"]
        assert found["energy_j"] is None
        assert f"× {kind}" in str(found["warnings"])
        assert all(f"× {kind}" in str(window["warnings"]) for window in found["windows"])
    assert "invalid" in outcome.stdout.str()


def test_what_is_allowed_is_no_failure(server: Server, measured_all: MeasuredAll) -> None:
    urls = {harmless: server(faults=["ok", harmless]) for harmless in HARMLESS}
    outcome, results = measured_all(urls)
    outcome.assert_outcomes(passed=len(HARMLESS))
    for result in results.values():
        (found,) = result["measurements"]
        assert found["traffic"]["failed"] == 0
        assert found["output_tokens"] == 4 * 16


def test_a_few_failures_are_named_and_the_window_counts(server: Server, measured: Measured) -> None:
    _, result = measured(
        server(faults=["ok"] * 300 + ["http_500"]),
        "--llem-set=batch_size=200",  # so that no window has fewer, however slow this machine is
        "--llem-set=traffic.concurrency=4",
        "--llem-set=output_tokens=3",
        "--llem-set=measurement.warmup_max_s=1",
    )
    (found,) = result["measurements"]
    assert found["traffic"]["failures"].keys() == {"http_500"}
    assert found["valid"]
    assert re.search(r"\d of \d+ requests failed: \d+ × http_500", str(found["warnings"]))


def test_a_slow_first_token_is_a_latency_and_no_failure(server: Server, measured: Measured) -> None:
    _, result = measured(server(first_s=0.1, gap_s=0.001))
    (found,) = result["measurements"]
    assert found["traffic"]["failed"] == 0
    assert found["latencies"]["ttft"]["p50_s"] >= 0.1 * (1 - ACCURACY)
    assert found["latencies"]["itl"]["p50_s"] < 0.1


def test_several_tokens_in_a_piece_are_counted_by_usage(server: Server, measured: Measured) -> None:
    _, result = measured(server(per_chunk=5, ids=False, gap_s=0.001))
    (found,) = result["measurements"]
    assert found["output_tokens"] == 4 * 16
    assert found["traffic"]["counted_by"].keys() == {"usage"}


def test_without_usage_token_ids_are_counted(server: Server, measured: Measured) -> None:
    _, result = measured(server(faults=["no_usage"]))
    (found,) = result["measurements"]
    assert found["output_tokens"] == 4 * 16
    assert found["traffic"]["counted_by"].keys() == {"ids"}


def test_without_either_the_length_asked_for_is_taken_and_said(
    server: Server, measured: Measured
) -> None:
    _, result = measured(server(faults=["no_usage"], ids=False))
    (found,) = result["measurements"]
    assert found["output_tokens"] == 4 * 16
    assert found["input_tokens"] is None
    assert "came without usage" in str(found["warnings"])


def test_a_server_that_dies_is_given_up(server: Server, measured: Measured) -> None:
    outcome, result = measured(
        server(faults=["ok"] * 20 + ["exit"]), "--llem-set=measurement.window_s=2"
    )
    outcome.assert_outcomes(failed=1)
    assert "served none of the last" in result["message"]
    assert "unreachable" in result["message"]
    outcome.stdout.fnmatch_lines(["*served none of the last*"])
