"""Engines that other distributions add, as users of pytest and of ``llem`` see them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instruments.distributions import ENGINE, install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, object]]]

EXPERIMENT = """
def test_generation(energy, model):
    energy.measure(model)
"""
QUICK = (
    "--llem-set=measurement.windows=1",
    "--llem-set=measurement.window_s=0.05",
    "--llem-set=measurement.warmup_min_s=0.05",
    "--llem-set=measurement.warmup_max_s=0.2",
    "--llem-set=measurement.idle_s=0",
    "--llem-meter=estimate",
    "--llem-allow-shared",
)


@pytest.fixture
def toy(site: Path) -> Path:
    """A distribution with an engine called ``toy``."""
    source = ENGINE.format(name="Toy", registered="toy")
    install(site, "llem-toy", {"llem_toy": source}, [("engines", "toy", "llem_toy:Toy")])
    return site


def llem(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest_llem", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_experiment_runs_on_an_engine_of_another_distribution(
    run: Run, stored: Stored, toy: Path
) -> None:
    result = run(EXPERIMENT, "--llem-backend=toy", *QUICK)
    result.assert_outcomes(passed=1)
    (found,) = stored()
    assert found["engine"]["engine"] == "toy"  # type: ignore[index]


SECTION = """
from typing import ClassVar
from pytest_llem.config.added import AddedSection

class Options(AddedSection):
    name: ClassVar[str] = "toy"
    api_version: ClassVar[int] = 1
    threads: int | None = None
"""
READING = ENGINE.format(name="Toy", registered="toy").replace(
    "        return ToySession()",
    """        from llem_toy_options import Options
        session = ToySession()
        threads = Options.of(config).threads
        session.describe = lambda: {"engine": "toy", "effective": {"threads": threads and threads * 2}}
        return session""",
)


def test_an_engine_of_another_distribution_has_a_section_of_its_own(
    run: Run, stored: Stored, site: Path
) -> None:
    entries = [("engines", "toy", "llem_toy:Toy"), ("sections", "toy", "llem_toy_options:Options")]
    install(site, "llem-toy", {"llem_toy": READING, "llem_toy_options": SECTION}, entries)
    marked = "import pytest\n" + EXPERIMENT.replace(
        "def test", '@pytest.mark.llem(toy={"threads": 3})\ndef test'
    )
    run(marked, "--llem-backend=toy", *QUICK).assert_outcomes(passed=1)
    (found,) = stored()
    assert found["config"]["engine_options"] == {"toy": {"threads": 3}}  # type: ignore[index]
    assert found["engine"]["differences"] == [  # type: ignore[index]
        "threads=3 was asked for, but 6 took effect"
    ]
    wrong = run(EXPERIMENT, "--llem-backend=toy", "--llem-set=toy.thread=3", *QUICK)
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(["*toy.thread=3: there is no such option of toy.*'toy.threads'*"])


def test_broken_and_colliding_components_disturb_only_who_uses_them(run: Run, toy: Path) -> None:
    install(
        toy,
        "llem-broken",
        {"llem_broken": "raise RuntimeError('badly built')"},
        [("engines", "broken", "llem_broken:Engine"), ("meters", "broken", "llem_broken:Meter")],
    )
    install(toy, "llem-twin", {}, [("engines", "twin", "llem_toy:Toy")])
    install(toy, "llem-other-twin", {}, [("engines", "twin", "llem_toy:Toy")])
    run(EXPERIMENT, "--llem-backend=toy", *QUICK).assert_outcomes(passed=1)
    broken = run(EXPERIMENT, "--llem-backend=broken", *QUICK)
    assert broken.ret == 1
    broken.stdout.fnmatch_lines(["*'broken' of llem-broken 1.0*RuntimeError: badly built*"])
    twins = run(EXPERIMENT, "--llem-backend=twin", *QUICK)
    assert twins.ret == 1
    twins.stdout.fnmatch_lines(["*llem-other-twin 1.0*llem-twin 1.0*"])


def test_a_session_that_is_none_is_told_by_what_it_lacks(run: Run, site: Path) -> None:
    source = ENGINE.format(name="Toy", registered="toy").replace("def close(", "def shut(")
    install(site, "llem-toy", {"llem_toy": source}, [("engines", "toy", "llem_toy:Toy")])
    result = run(EXPERIMENT, "--llem-backend=toy", *QUICK)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*engine 'toy' loaded is no session: close() is missing*"])


def test_a_denied_engine_is_unknown_before_anything_runs(
    run: Run, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEM_COMPONENTS_DENY", "llem-toy")
    result = run(EXPERIMENT, "--llem-backend=toy", *QUICK)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*backend='toy': there is no such engine*"])


def test_the_project_may_deny_a_distribution(
    run: Run, toy: Path, pytester: pytest.Pytester
) -> None:
    pytester.makepyprojecttoml("[tool.llem.components]\ndeny = ['llem-*']\n")
    result = run(EXPERIMENT, "--llem-backend=toy", *QUICK)
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_the_pytest_process_imports_no_engine_whoever_adds_it(
    run: Run, toy: Path, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        """
        import os, sys
        import pytest_llem.plugin

        TESTER = os.getpid()
        ENGINES = {"torch", "transformers", "vllm", "tensorrt_llm", "onnxruntime_genai", "llem_toy"}

        def loaded():
            adapters = {one for one in sys.modules if one.startswith("pytest_llem.engines.")}
            return sorted(ENGINES & set(sys.modules) | adapters)

        AT_START = loaded()

        def pytest_unconfigure():
            if not {"LLEM_CHANNEL_FD", "LLEM_CHANNEL"} & set(os.environ):
                print("AT START", AT_START, "AT END", [one for one in loaded() if one in ENGINES])
        """
    )
    result = run(EXPERIMENT, "--llem-backend=toy", "-s", "--llem-isolation=spawn", *QUICK)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["AT START [[]] AT END [[]]"])


def test_llem_components_lists_every_kind_with_owner_and_state(toy: Path) -> None:
    listed = json.loads(llem("components", "--json").stdout)
    by_name = {(one["kind"], one["name"]): one for one in listed}
    assert by_name["engines", "toy"] == {
        "kind": "engines",
        "name": "toy",
        "distribution": "llem-toy",
        "version": "1.0",
        "reference": "llem_toy:Toy",
        "builtin": False,
        "state": "available",
        "detail": None,
    }
    assert by_name["engines", "transformers"]["builtin"] is True
    assert by_name["meters", "nvml"]["distribution"] == "pytest-llem"
    text = llem("components").stdout
    assert "llem-toy 1.0" in text
    assert "llem_toy:Toy" in text


def test_llem_components_check_fails_where_one_is_broken(toy: Path) -> None:
    assert llem("components", "--check").returncode == 0
    install(toy, "llem-bad", {"llem_bad": "1 / 0"}, [("engines", "bad", "llem_bad:Bad")])
    assert llem("components").returncode == 0
    checked = llem("components", "--check")
    assert checked.returncode == 1
    assert "ZeroDivisionError" in checked.stdout
