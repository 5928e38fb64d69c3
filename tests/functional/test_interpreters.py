"""An interpreter for each engine: experiments of one session run in several environments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_llem
from instruments.environments import lean_environment, other_pythons, other_version
from instruments.printed import text_of
from pytest_llem.runs.launchers import is_installed

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, Any]]]

QUICK = '{"windows": 2, "window_s": 0.1, "warmup_min_s": 0, "warmup_max_s": 1}'
SOURCE = f"""
import os, sys
import pytest

@pytest.mark.llem(measurement={QUICK})
@pytest.mark.parametrize("backend", ["transformers", "vllm"])
def test_it(energy, backend, record_property):
    record_property("prefix", sys.prefix)
    record_property("path", os.environ["PATH"].split(os.pathsep)[0])
    energy.measure(lambda: sum(range(10_000)), work={{"output_tokens": 5}})
"""
TABLE = '[tool.llem.engines.vllm]\npython = "{}"\n'


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with pytest-llem and none of the plugins we have."""
    return lean_environment(tmp_path_factory.mktemp("other") / "venv")


@pytest.fixture(autouse=True)
def no_inherited_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our package is found as it is installed, not by a path that all interpreters inherit."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


def test_each_engine_runs_in_its_own_environment(
    run: Run, stored: Stored, pytester: pytest.Pytester, other: Path
) -> None:
    (pytester.path / ".venvs").mkdir()
    (pytester.path / ".venvs" / "vllm").symlink_to(other.parent.parent)
    pytester.makepyprojecttoml(TABLE.format(".venvs/vllm/bin/python"))
    result = run(SOURCE, "--junitxml=junit.xml")
    result.assert_outcomes(passed=2)
    ours, theirs = sorted(stored(), key=lambda one: one["config"]["backend"])
    result.stdout.fnmatch_lines(["llem: vllm runs in the interpreter */.venvs/vllm/bin/python (*)"])
    assert ours["elsewhere"] is None
    assert theirs["elsewhere"]["executable"].endswith(".venvs/vllm/bin/python")
    assert theirs["elsewhere"]["packages"]["pytest-llem"] == pytest_llem.__version__
    assert "pytest-xdist" not in theirs["elsewhere"]["packages"]
    junit = Path("junit.xml").read_text()
    assert f'name="prefix" value="{sys.prefix}"' in junit
    assert f'name="prefix" value="{pytester.path}/.venvs/vllm"' in junit
    assert f'name="path" value="{pytester.path}/.venvs/vllm/bin"' in junit


def test_a_variable_names_the_interpreter_too_and_wins(
    run: Run,
    stored: Stored,
    pytester: pytest.Pytester,
    other: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytester.makepyprojecttoml(TABLE.format("no/such/python"))
    monkeypatch.setenv("LLEM_VLLM_PYTHON", str(other))
    run(SOURCE).assert_outcomes(passed=2)
    assert {(one["elsewhere"] or {}).get("executable") for one in stored()} == {None, str(other)}


def test_an_engine_of_another_environment_may_be_asked_for_by_option(
    run: Run, stored: Stored, pytester: pytest.Pytester, other: Path
) -> None:
    pytester.makepyprojecttoml(TABLE.format(other).replace("vllm", "elsewhere-only"))
    source = SOURCE.replace('@pytest.mark.parametrize("backend", ["transformers", "vllm"])\n', "")
    source = source.replace("energy, backend,", "energy,")
    result = run(source, "--llem-backend=transformers,elsewhere_only")
    result.assert_outcomes(passed=2)
    assert {one["config"]["backend"] for one in stored()} == {"transformers", "elsewhere_only"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["-n2"],
        ["-p", "xdist", "--dist", "loadfile", "-n", "1"],
        ["--timeout=900", "--json-report", "--report-log=log.jsonl"],
        ["-k", "test_it", "-x"],
    ],
    ids=" ".join,
)
def test_options_of_plugins_that_the_other_environment_lacks_are_left_out(
    run: Run, pytester: pytest.Pytester, other: Path, arguments: list[str]
) -> None:
    pytester.makepyprojecttoml(
        TABLE.format(other)
        + '[tool.pytest.ini_options]\naddopts = "--reruns=1 --tb=short -p no:cacheprovider"\n'
    )
    result = run(SOURCE, *arguments)
    result.assert_outcomes(passed=2)


def test_a_plugin_that_the_other_environment_needs_is_named_with_the_environment(
    run: Run, pytester: pytest.Pytester, other: Path
) -> None:
    pytester.makepyprojecttoml(TABLE.format(other))
    result = run(SOURCE.replace("import pytest\n", "import pytest\nimport xdist\n", 1))
    result.assert_outcomes(passed=1, errors=1)
    assert "No module named 'xdist'" in text_of(result)
    assert f"It ran under {other}" in text_of(result)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda python: python.unlink(), ["there is no interpreter", "python -m venv"]),
        (lambda python: (python.unlink(), python.write_text("")), ["cannot be started"]),
        (
            lambda python: (python.unlink(), python.symlink_to("/bin/false")),
            ["does not run Python", "status 1"],
        ),
        (
            lambda python: (python.unlink(), python.symlink_to("/bin/echo")),
            ["does not answer as Python would"],
        ),
        (
            lambda python: other_version(python, "1.2.3"),
            ["has pytest-llem 1.2.3", pytest_llem.__version__, "same version in both"],
        ),
    ],
    ids=["missing", "not executable", "no python", "silent", "another version"],
)
def test_a_useless_interpreter_is_refused_before_anything_runs(
    run: Run,
    stored: Stored,
    pytester: pytest.Pytester,
    spoil: Callable[[Path], object],
    said: list[str],
) -> None:
    python = lean_environment(pytester.path / "venv")
    spoil(python)
    pytester.makepyprojecttoml(TABLE.format("venv/bin/python"))
    result = run(SOURCE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    for part in ["vllm: ", str(python), *said]:
        assert part in text
    assert "Traceback" not in text
    assert not stored()


@pytest.mark.parametrize("lacks", ["pytest", "pytest-llem", "pydantic"])
def test_an_interpreter_that_lacks_something_says_how_to_install_it(
    run: Run, pytester: pytest.Pytester, lacks: str
) -> None:
    python = lean_environment(pytester.path / "venv", without=[lacks])
    pytester.makepyprojecttoml(TABLE.format("venv/bin/python"))
    result = run(SOURCE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert lacks in text
    assert f"{python} -m pip install 'pytest-llem[vllm]=={pytest_llem.__version__}'" in text


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("transformers", "has no transformers. Install it with: {python} -m pip install"),
        ("vllm", "has no vllm. Install it with: {python} -m pip install"),
        (
            "tensorrt_llm",
            "has no tensorrt_llm. Install it with: {python} -m pip install tensorrt-llm",
        ),
    ],
)
def test_an_environment_without_its_engine_is_refused_if_a_model_is_to_be_loaded(
    run: Run, pytester: pytest.Pytester, other: Path, engine: str, said: str
) -> None:
    pytester.makepyprojecttoml(TABLE.format(other).replace("vllm", engine))
    result = run("def test_it(energy, model): pass", f"--llem-backend={engine}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"the interpreter {other} {said.format(python=other)}" in text_of(result)
    assert "Traceback" not in text_of(result)
    assert not Path(".llem").exists()


def test_engines_that_are_nowhere_are_named_before_anything_runs(run: Run, stored: Stored) -> None:
    if is_installed("tensorrt_llm"):
        pytest.skip("TensorRT-LLM is installed here")
    result = run(
        """
        import pytest

        @pytest.mark.parametrize("backend", ["transformers", "tensorrt_llm"])
        def test_it(energy, model, backend): pass
        """
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "tensorrt_llm is not installed in this environment" in text_of(result)
    assert "LLEM_TENSORRT_LLM_PYTHON" in text_of(result)
    assert not stored()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[tool.llem.engines.vllm]\npyton = "x"', "Did you mean"),
        ("[tool.llem.engines.vllm]\npython = 3", "python=3"),
        ("[tool.llem]\nengine = {}", "there is no such field"),
        ('[tool.llem.container]\nshm_size = "much"', "shm_size"),
    ],
)
def test_a_table_that_cannot_be_understood_is_a_usage_error(
    run: Run, pytester: pytest.Pytester, table: str, said: str
) -> None:
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    pytester.makepyprojecttoml(table)
    result = run(SOURCE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in text_of(result)
    assert "pyproject.toml" in text_of(result)


def test_another_minor_version_of_python_will_do(
    run: Run, stored: Stored, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    python = next(other_pythons(), None)
    if python is None:
        pytest.skip("there is no other Python that pytest-llem supports")
    subprocess.run([python, "-m", "venv", str(tmp_path / "venv")], check=True)
    theirs = tmp_path / "venv" / "bin" / "python"
    checkout = Path(pytest_llem.__file__).parents[2]
    install = [str(theirs), "-m", "pip", "install", "--quiet"]
    needed = [["pytest", "pydantic", "psutil"], ["--no-deps", str(checkout)]]
    for what in needed:
        done = subprocess.run([*install, *what], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"pip cannot install {what}: {done.stderr[-300:]}")
    pytester.makepyprojecttoml(TABLE.format(theirs))
    run(SOURCE).assert_outcomes(passed=2)
    (found,) = [one["elsewhere"]["python"] for one in stored() if one["elsewhere"]]
    assert found.split()[1].split(".")[:2] != [str(part) for part in sys.version_info[:2]]
