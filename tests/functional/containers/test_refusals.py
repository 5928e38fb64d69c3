"""Containers that cannot be: said before anything runs, with a remedy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instruments.boxes import IMAGE
from instruments.environments import lean_environment, other_version
from instruments.printed import text_of
from pytest_llem._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.boxes import Boxed

    Run = Callable[..., pytest.RunResult]

CONTAINER = "--llem-isolation=container"
SOURCE = "def test_it(energy): pass"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda text: text.replace(IMAGE, "localhost/no/such:1"),
            "podman pull localhost/no/such:1",
        ),
        (lambda text: text.replace("transformers", "vllm"), "LLEM_TRANSFORMERS_IMAGE"),
        (lambda text: text.replace(sys.executable, "/usr/bin/nothing"), "/usr/bin/nothing"),
        (lambda text: text.replace(sys.executable, "/usr/bin/echo"), "does not answer as Python"),
        (
            lambda text: text.replace(
                "runtime_arguments = [", 'runtime_arguments = ["--nonsense", '
            ),
            "--nonsense",
        ),
        (lambda text: text.replace('shm_size = "64m"', "shm_size = 64"), "shm_size=64"),
    ],
    ids=["no image", "no image configured", "no interpreter", "no python", "runtime", "size"],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    run: Run,
    pytester: pytest.Pytester,
    box: Boxed,
    change: Callable[[str], str],
    said: str,
) -> None:
    pytester.makepyprojecttoml(change(box.table("transformers")))
    assert said in refused(run(SOURCE, CONTAINER))


def refused(result: pytest.RunResult) -> str:
    """What a run said that was refused before anything ran, as a sentence."""
    text = text_of(result)
    assert result.ret == pytest.ExitCode.USAGE_ERROR, text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert not Path(".llem").exists()
    return text


def test_an_image_without_pytest_llem_says_how_to_install_it(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    python = lean_environment(pytester.path / "venv", without=["pytest-llem"])
    pytester.makepyprojecttoml(box.table("transformers").replace(sys.executable, str(python)))
    text = refused(run(SOURCE, CONTAINER))
    assert f"image {IMAGE} has no pytest-llem" in text
    assert f"pip install 'pytest-llem[transformers]=={__version__}'" in text


def test_an_image_with_another_version_names_both(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    python = lean_environment(pytester.path / "venv")
    other_version(python, "1.2.3")
    pytester.makepyprojecttoml(box.table("transformers").replace(sys.executable, str(python)))
    text = refused(run(SOURCE, CONTAINER))
    assert f"image {IMAGE} has pytest-llem 1.2.3, this pytest has {__version__}" in text


def test_an_image_that_cannot_be_fetched_says_why(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    table = box.table("transformers", pull=True).replace(IMAGE, "localhost:1/no/such:1")
    pytester.makepyprojecttoml(table)
    assert "podman cannot pull localhost:1/no/such:1: " in refused(run(SOURCE, CONTAINER))


@pytest.mark.parametrize("wanted", ["auto", "podman", "docker"])
def test_a_machine_without_a_runtime_names_what_to_install(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("PATH", str(pytester.mkdir("empty")))
    monkeypatch.setenv("LLEM_TRANSFORMERS_IMAGE", "engine:1")
    text = refused(run(SOURCE, CONTAINER, f"--llem-container-runtime={wanted}"))
    assert "no container runtime works here" in text
    for kind in ("podman", "docker") if wanted == "auto" else (wanted,):
        assert f"{kind}: not installed" in text
