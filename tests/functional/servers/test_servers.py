"""A server is measured as a user asks for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from instruments import server_double
from pytest_llem.energy.latency import ACCURACY

if TYPE_CHECKING:
    from collections.abc import Callable

    Server = Callable[..., str]
    Measured = Callable[..., tuple[pytest.RunResult, dict[str, Any]]]
    MeasuredAll = Callable[..., tuple[pytest.RunResult, dict[str, dict[str, Any]]]]

DOUBLE = Path(server_double.__file__).resolve()
FREE = "http://127.0.0.1:0/v1"


def command(**script: Any) -> str:
    return f"--llem-set=openai.command={sys.executable} {DOUBLE} '{json.dumps(script)}' {{port}}"


def test_a_closed_loop_has_its_clients_busy(server: Server, measured: Measured) -> None:
    outcome, result = measured(server(gap_s=0.002), "--llem-set=traffic.concurrency=6")
    outcome.assert_outcomes(passed=1)
    (found,) = result["measurements"]
    traffic = found["traffic"]
    assert (traffic["loop"], traffic["concurrency"]) == ("closed", 6)
    assert 4 < traffic["in_flight_mean"] <= 6
    assert (found["requests"], found["input_tokens"], found["output_tokens"]) == (4, 32, 64)
    assert found["valid"]
    for name in ("ttft", "itl", "tpot", "e2e"):
        figures = found["latencies"][name]
        assert figures["p50_s"] <= figures["p90_s"] <= figures["p99_s"] <= figures["max_s"]
    assert found["latencies"]["itl"]["p50_s"] >= 0.002 * (1 - ACCURACY)
    assert found["latencies"]["lateness"] is None
    assert found["prefill"]["method"] == "unresolved"
    assert "others are in prefill" in found["prefill"]["reason"]
    assert result["engine"]["versions"]["server"] == "double/1"
    assert result["engine"]["server"]["models"] == [{"id": "double"}]
    assert result["engine"]["effective"]["served_model"] == "double"


def test_an_open_loop_keeps_its_rate_and_counts_what_was_served_well(
    server: Server, measured: Measured
) -> None:
    url = server(first_s=0.01, gap_s=0.001)
    _, result = measured(
        url,
        "--llem-set=traffic.rate_per_s=60",
        "--llem-set=measurement.window_s=1",
        "--llem-set=traffic.slo_ttft_s=10",
    )
    (found,) = result["measurements"]
    traffic = found["traffic"]
    assert traffic["loop"] == "open"
    assert traffic["offered_per_s"] == pytest.approx(60, rel=0.3)
    assert traffic["goodput_share"] == 1
    assert traffic["goodput_per_s"] == traffic["served_per_s"]
    assert not traffic["queue_grew"]
    assert found["latencies"]["lateness"]["p99_s"] >= 0


def test_a_limit_that_nothing_meets_leaves_no_goodput(server: Server, measured: Measured) -> None:
    _, result = measured(server(first_s=0.02), "--llem-set=traffic.slo_ttft_s=0.001")
    traffic = result["measurements"][0]["traffic"]
    assert (traffic["goodput_per_s"], traffic["goodput_share"]) == (0, 0)


def test_more_requests_than_are_served_are_told(server: Server, measured: Measured) -> None:
    _, result = measured(
        server(slots=1, gap_s=0.002),
        "--llem-set=traffic.rate_per_s=100",
        "--llem-set=measurement.window_s=1",
        "--llem-set=measurement.warmup_max_s=1",
    )
    (found,) = result["measurements"]
    assert found["traffic"]["queue_grew"]
    assert "requests came faster than they were served" in str(found["warnings"])


def test_a_server_is_started_and_ended_with_what_it_printed_kept(
    measured: Measured, pytester: pytest.Pytester
) -> None:
    outcome, result = measured(FREE, command(loading_s=0.5))
    outcome.assert_outcomes(passed=1)
    server = result["engine"]["server"]
    assert server["started_here"]
    log = Path(server["log"])
    assert log.is_relative_to(pytester.path)
    assert log.read_text().strip().isdecimal()
    assert server["command"] not in [
        one.info["cmdline"] for one in psutil.process_iter(["cmdline"])
    ]


def test_a_server_that_ends_at_once_is_told_with_its_last_words(measured: Measured) -> None:
    script = "import sys; print('no such model'); sys.exit(4)"
    outcome, _ = measured(FREE, f'--llem-set=openai.command={sys.executable} -c "{script}"')
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["*ended with status 4 before it was ready*", "*no such model*"])


def test_a_server_that_is_never_ready_is_ended_in_time(measured: Measured) -> None:
    outcome, _ = measured(FREE, command(loading_s=3600), "--llem-set=openai.ready_timeout_s=1")
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["*was not ready within 1 s*"])


def test_what_keeps_a_server_from_being_measured_is_said(
    server: Server, measured_all: MeasuredAll
) -> None:
    scripts: dict[str, tuple[dict[str, Any], str]] = {
        "models": ({"models": ["a", "b"]}, "Set openai.served_model to one of: a, b"),
        "key": ({"key": "secret"}, "environment variable OPENAI_API_KEY"),
        "fault": ({"probe": "http_500"}, "CUDA out of memory"),
        "whole": ({"probe": "whole"}, "not_streamed"),
    }
    outcome, results = measured_all(
        {label: server(**script) for label, (script, _) in scripts.items()}
    )
    outcome.assert_outcomes(errors=4)
    for label, (_, said) in scripts.items():
        assert said in results[label]["message"]


def test_a_model_that_is_not_served_is_told(server: Server, measured: Measured) -> None:
    _, result = measured(server(), "--llem-set=openai.served_model=c")
    assert "served_model='c'" in result["message"]


def test_a_chat_takes_no_ids(server: Server, measured: Measured) -> None:
    ids = ("--llem-set=openai.api=chat", "--llem-set=openai.prompt=ids")
    _, result = measured(server(), *ids)
    assert "openai.prompt='text'" in result["message"]


def test_a_key_is_taken_from_the_environment_and_never_stored(
    server: Server,
    measured: Measured,
    monkeypatch: pytest.MonkeyPatch,
    pytester: pytest.Pytester,
) -> None:
    monkeypatch.setenv("MY_KEY", "do-not-store-this")
    url = server(key="do-not-store-this")
    outcome, _ = measured(url, "--llem-set=openai.api_key_variable=MY_KEY")
    outcome.assert_outcomes(passed=1)
    kept = [path for path in pytester.path.rglob(".llem/**/*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"do-not-store-this" in path.read_bytes()]


def test_servers_are_asked_as_they_can_be(server: Server, measured_all: MeasuredAll) -> None:
    urls = {
        "ids": server(),
        "text": server(ids=False),
        "plain": server(refuses=["ignore_eos"]),
        "neither": server(ids=False, refuses=["return_token_ids", "ignore_eos"]),
    }
    outcome, results = measured_all(urls)
    outcome.assert_outcomes(passed=4)
    asked = {label: result["engine"]["generation"] for label, result in results.items()}
    assert {label: how["prompt"] for label, how in asked.items()} == {
        "ids": "ids",
        "text": "text",
        "plain": "ids",
        "neither": "text",
    }
    assert asked["ids"]["beyond_the_protocol"] == ["ignore_eos", "return_token_ids"]
    assert asked["plain"]["beyond_the_protocol"] == asked["neither"]["beyond_the_protocol"] == []
    assert all(result["measurements"][0]["output_tokens"] == 64 for result in results.values())


def test_a_chat_is_asked_in_words(server: Server, measured: Measured) -> None:
    outcome, result = measured(server(), "--llem-set=openai.api=chat")
    outcome.assert_outcomes(passed=1)
    assert result["engine"]["generation"]["prompt"] == "text"
    (found,) = result["measurements"]
    assert (found["input_tokens"], found["output_tokens"]) == (4 * 9, 64)


def test_a_server_elsewhere_is_refused_as_its_devices_are(measured: Measured) -> None:
    outcome, _ = measured("http://192.0.2.1:8000/v1")
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["*is not on this machine*"])


def test_an_estimate_needs_a_server_whose_processes_are_seen(measured: Measured) -> None:
    outcome, _ = measured("http://127.0.0.1:9/v1")
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["*no process here can be seen to listen*"])


def test_two_loops_at_once_are_impossible(measured: Measured, server: Server) -> None:
    outcome, _ = measured(
        server(), "--llem-set=traffic.rate_per_s=5", "--llem-set=traffic.concurrency=2", "-rs"
    )
    outcome.assert_outcomes(skipped=1)
    outcome.stdout.fnmatch_lines(["*does not wait for answers*"])


def test_a_dry_run_asks_no_server(measured: Measured) -> None:
    outcome, result = measured(
        "http://127.0.0.1:9/v1", "--llem-set=traffic.rate_per_s=20", "--llem-dry-run", "-v"
    )
    assert outcome.ret == 0
    assert not result
    assert "in an open loop at 20 a second, Poisson arrivals" in " ".join(
        outcome.stdout.str().split()
    )


def test_an_option_that_does_not_exist_is_told_with_the_nearest(measured: Measured) -> None:
    outcome, _ = measured("http://127.0.0.1:9/v1", "--llem-set=openai.base_ulr=http://x/v1")
    assert outcome.ret != 0
    outcome.stderr.fnmatch_lines(["*Did you mean 'openai.base_url'?*"])


def test_requests_may_be_of_mixed_lengths(server: Server, measured: Measured) -> None:
    _, result = measured(
        server(), "--llem-set=workload.output_lengths=[3, 9]", "--llem-set=traffic.concurrency=1"
    )
    (found,) = result["measurements"]
    assert found["output_tokens"] == 2 * 3 + 2 * 9
    assert result["workload"]["output_lengths"] == [3, 9, 3, 9]


def test_drawn_lengths_are_gated_by_what_a_token_takes(server: Server, measured: Measured) -> None:
    """Windows have other requests each, and so has every run."""
    url = server(first_s=0.001, gap_s=0.001)
    options = (
        "--llem-set=workload.lengths=lognormal",
        "--llem-set=output_tokens=30",
        "--llem-set=batch_size=1",
        "--llem-set=measurement.windows=4",
    )
    _, result = measured(url, *options, "--llem-update-baselines")
    (found,) = result["measurements"]
    whole = [one for one in found["windows"] if one["phase"] == "whole"]
    tokens, energy_j = (sum(one[of] for one in whole) for of in ("output_tokens", "energy_j"))
    assert len({one["output_tokens"] / one["passes"] for one in whole}) > 1
    assert found["energy_per_output_token_j"] == pytest.approx(energy_j / tokens)
    seconds = sum(one["duration_s"] for one in whole)
    assert found["output_tokens_per_s"] == pytest.approx(tokens / seconds)
    longer = "--llem-set=measurement.window_s=0.5"  # which belongs to no identity
    outcome, _ = measured(url, *options, longer, "--llem-gate=energy_per_output_token_j")
    outcome.stdout.fnmatch_lines(["*test_server*"])
    assert "incomparable" not in outcome.stdout.str()


def test_chats_are_not_for_servers(server: Server, measured: Measured) -> None:
    _, result = measured(server(), "--llem-set=workload.turns=2")
    assert "workload.turns=2: requests to a server come one by one" in result["message"]


def test_traffic_is_for_servers(run: Callable[..., pytest.RunResult]) -> None:
    outcome = run(
        """
        import pytest

        @pytest.mark.llem(traffic={"rate_per_s": 5})
        def test_it(energy, model): energy.measure(model)
        """
    )
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*traffic is for servers*"])
