"""The actions, the examples for other services and docs/ci.md are whole, safe, and say what is."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
ACTIONS = (CHECKOUT / "action.yml", CHECKOUT / "comment/action.yml")
EXAMPLES = CHECKOUT / "examples/ci"
GITHUB = sorted(EXAMPLES.glob("github-*.yml"))
GUIDE = CHECKOUT / "docs/ci.md"
SCHEMAS = {
    "vendor.github-actions": ACTIONS,
    "vendor.github-workflows": (*GITHUB, *sorted((CHECKOUT / ".github/workflows").glob("*.yml"))),
    "vendor.gitlab-ci": (EXAMPLES / "gitlab-ci.yml",),
    "vendor.buildkite": (EXAMPLES / "buildkite.yml",),
}
OPTION = re.compile(r"(?<![\w-])--llem-[a-z-]+")
EXPORT = re.compile(r"--llem-export=([\w-]+):")


def ident(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def steps(path: Path) -> list[dict[str, Any]]:
    content = yaml.safe_load(path.read_text())
    if "runs" in content:
        return list(content["runs"]["steps"])
    return [step for job in content["jobs"].values() for step in job["steps"]]


def step(name: str, path: Path = ACTIONS[0]) -> str:
    (found,) = [one["run"] for one in steps(path) if one.get("name") == name]
    return str(found)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_file_is_what_its_service_takes(schema: str) -> None:
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema is not installed; the extra dev has it")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run(
        [*command, *SCHEMAS[schema]], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [*ACTIONS, *GITHUB], ids=ident)
def test_other_peoples_actions_are_pinned_as_in_our_workflows(path: Path) -> None:
    for one in steps(path):
        if "uses" in one:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+(/[\w-]+)*@v\d+", one["uses"]), one["uses"]


@pytest.mark.parametrize("path", [*ACTIONS, *GITHUB], ids=ident)
def test_no_command_contains_what_a_stranger_typed(path: Path) -> None:
    for one in steps(path):
        assert "${{" not in one.get("run", ""), "hand it over through env, where it is no code"


@pytest.mark.parametrize("path", ACTIONS, ids=ident)
def test_inputs_are_used_and_documented(path: Path) -> None:
    text, guide = path.read_text(), GUIDE.read_text()
    content = yaml.safe_load(text)
    for name, about in content["inputs"].items():
        assert f"inputs.{name}" in text, name
        assert about["description"], name
        assert f"| `{name}` |" in guide, name
    for name in re.findall(r"inputs\.([\w-]+)", text):
        assert name in content["inputs"], name


@pytest.mark.parametrize("path", GITHUB, ids=ident)
def test_examples_give_only_inputs_that_there_are(path: Path) -> None:
    for one in steps(path):
        match = re.fullmatch(r"OWNER/pytest-llem(?:/(comment))?@v2", one.get("uses", ""))
        if match:
            action = yaml.safe_load(ACTIONS[match[1] is not None].read_text())
            assert set(one["with"]) <= set(action["inputs"])
            required = {name for name, of in action["inputs"].items() if of.get("required")}
            assert required <= set(one["with"])


def test_options_and_exporters_that_are_named_exist() -> None:
    known = (CHECKOUT / "docs/inventory.txt").read_text()
    script = CHECKOUT / "scripts/github/run_pytest.py"
    for path in (*ACTIONS, *EXAMPLES.iterdir(), GUIDE, script):
        text = path.read_text()
        for option in set(OPTION.findall(text)):
            assert f"\noption {option}" in known, f"{path}: {option}"
        for exporter in EXPORT.findall(text):
            assert f"\ncomponent exporters.{exporter}\n" in known, f"{path}: {exporter}"


def test_every_shell_command_parses() -> None:
    for name, text in _shell():
        done = subprocess.run(
            ["bash", "-n"], input=text, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"


def _shell() -> Iterator[tuple[str, str]]:
    for path in (*ACTIONS, *GITHUB):
        yield from ((ident(path), one["run"]) for one in steps(path) if "run" in one)
    gitlab = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
    yield from (("gitlab", line) for line in gitlab["energy"]["script"])
    (buildkite,) = yaml.safe_load((EXAMPLES / "buildkite.yml").read_text())["steps"]
    yield "buildkite", buildkite["command"].replace("$$", "$")
    jenkins = (EXAMPLES / "Jenkinsfile").read_text()
    yield from (("Jenkinsfile", text) for text in re.findall(r"sh '''(.*?)'''", jenkins, re.DOTALL))


def test_the_guides_yaml_parses_and_its_links_lead_somewhere() -> None:
    guide = GUIDE.read_text()
    found = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert found
    for block in found:
        yaml.safe_load(block)
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", guide):
        assert (GUIDE.parent / target).exists(), target
    for path in EXAMPLES.iterdir():
        assert f"../examples/ci/{path.name}" in guide, path.name


def test_the_action_becomes_pytest_with_arguments_that_are_no_code(
    script: Callable[[str], Any], tmp_path: Path
) -> None:
    command = script("scripts/github/run_pytest.py").pytest_command(
        {
            "INPUT_ARGS": "bench/ -k 'a or b'\n  $(touch x) `touch y` ; touch z",
            "INPUT_UPDATE_BASELINES": "true",
        }
    )
    assert command[:3] == [sys.executable, "-m", "pytest"]
    assert "--llem-update-baselines" in command
    assert "--llem-html" not in " ".join(command)
    arguments = ["bench/", "-k", "a or b", "$(touch", "x)", "`touch", "y`", ";", "touch", "z"]
    assert command[-len(arguments) :] == arguments


def test_arguments_that_cannot_be_split_are_told_on_the_job(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "scripts/github/run_pytest.py"],
        cwd=tmp_path,
        env={**os.environ, "INPUT_ARGS": "-k 'a"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stdout.startswith(
        "::error title=pytest-llem::args of the action: No closing quotation"
    )


@pytest.mark.parametrize(
    ("package", "extras", "installed"),
    [
        ("", "", "/action"),
        ("", "vllm,zeus", "/action[vllm,zeus]"),
        ("pytest-llem==2; touch x", "vllm", "pytest-llem==2; touch x"),
    ],
)
def test_the_action_installs_itself_unless_told_otherwise(
    tmp_path: Path, package: str, extras: str, installed: str
) -> None:
    said = shell(
        step("Install pytest-llem"), tmp_path, PYTHON="echo", PACKAGE=package, EXTRAS=extras
    )
    assert said == f"-m pip install {installed}"


def test_the_action_finds_the_latest_run_that_was_measured(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.touch()
    found = step("What there is now")
    shell(found, tmp_path, GITHUB_OUTPUT=str(output))
    assert output.read_text() == ""
    for name in ("20261101T1", "20261102T1", "20261101T2"):
        (tmp_path / ".llem/runs" / name).mkdir(parents=True)
    (tmp_path / ".llem/ci").mkdir()
    (tmp_path / ".llem/ci/comment.md").touch()
    shell(found, tmp_path, GITHUB_OUTPUT=str(output))
    assert output.read_text() == "run=.llem/runs/20261102T1\ncomment=.llem/ci/comment.md\n"


def test_a_failed_test_keeps_no_baselines_of_others_from_being_stored() -> None:
    (store,) = [one for one in steps(ACTIONS[0]) if "cache/save" in one.get("uses", "")]
    assert "!cancelled()" in store["if"]
    gitlab = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["energy"]
    assert gitlab["cache"]["when"] == "always"


def test_what_a_merge_request_of_gitlab_measures_is_never_what_main_is_compared_with() -> None:
    gitlab = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["energy"]
    request, branch = (rule["variables"] for rule in gitlab["rules"])
    assert gitlab["cache"]["policy"] == "$CACHE"
    assert (request["CACHE"], branch["CACHE"]) == ("pull", "pull-push")
    assert not request["UPDATE"]


def test_a_comment_of_a_forks_run_leads_to_that_run(tmp_path: Path) -> None:
    told = {"PYTHON": "/usr/bin/env", "RUNNER_TEMP": "/r", "GITHUB_RUN_ID": "9", "RUNS": "runs"}
    (tmp_path / "runs/20261101T1").mkdir(parents=True)
    for body in ("Write the comment", "Comment on the pull request"):
        command = step(body, ACTIONS[1]).partition('"$PYTHON"')[0].partition("if [")[0]
        found = shell(f"{command}\necho $GITHUB_RUN_ID", tmp_path, **told, RUN_ID="5")
        assert found == "5"
        assert shell(f"{command}\necho $GITHUB_RUN_ID", tmp_path, **told, RUN_ID="") == "9"


def test_a_stored_run_becomes_a_comment_where_nothing_of_it_is_executed(tmp_path: Path) -> None:
    (tmp_path / "runs/20261101T1").mkdir(parents=True)
    (tmp_path / "runs/20261102T1 $(touch x)").mkdir()
    said = shell(
        step("Write the comment", ACTIONS[1]),
        tmp_path,
        PYTHON="echo",
        RUNS="runs",
        RUNNER_TEMP="/tmp/r",  # noqa: S108 - never written to
    )
    target = "github-comment:/tmp/r/pytest-llem-comment.md"
    assert said == f"-m pytest_llem runs export runs/20261102T1 $(touch x) {target}"
    assert not (tmp_path / "x").exists()


def shell(command: str, directory: Path, **variables: str) -> str:
    """What *command* prints, as the runner starts it (``bash --noprofile --norc -eo pipefail``)."""
    environment = {"PATH": os.environ["PATH"], "GITHUB_ACTION_PATH": "/action", **variables}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_actions_commands_call_their_scripts_with_options_they_have(
    script: Callable[[str], Any], tmp_path: Path
) -> None:
    parsed = script("scripts/github/post_comment.py")._parsed
    pull = shell(
        step("Comment on the pull request"),
        tmp_path,
        PYTHON="echo",
        PULL_REQUEST="7",
        KEY="a key",
        AUTHOR="bot",
    )
    program, *arguments = shlex.split(pull.replace("--key=a key", "'--key=a key'"))
    assert program == "/action/scripts/github/post_comment.py"
    asked = parsed(arguments)
    assert (asked.pull_request, asked.key, asked.author) == (7, "a key", "bot")
    fork = shell(
        step("Comment on the pull request", ACTIONS[1]),
        tmp_path,
        PYTHON="echo",
        RUNNER_TEMP="/r",
        HEAD="someone:a/b",
        SHA="f00",
        KEY="",
        AUTHOR="bot",
    )
    program, *arguments = shlex.split(fork)
    assert program == "/action/../scripts/github/post_comment.py"
    asked = parsed(arguments)
    assert (asked.head, asked.sha, asked.pull_request) == ("someone:a/b", "f00", None)
