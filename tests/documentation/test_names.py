"""Options, commands, variables and targets that documents name exist."""

from __future__ import annotations

import re

import pytest

from documentation.blocks import CHECKOUT, DOCUMENTS, blocks_of

INVENTORY = (CHECKOUT / "docs/inventory.txt").read_text().splitlines()
OPTIONS = {line.split()[1] for line in INVENTORY if line.startswith("option ")}
COMMANDS = {line.removeprefix("command ") for line in INVENTORY if line.startswith("command ")} | {
    "llem --help"
}
VARIABLES = {line.split()[1] for line in INVENTORY if line.startswith("variable ")}
GIVEN = {  # to processes that pytest-llem starts, or by them: configuration.md names them
    *("LLEM_CHANNEL_FD", "LLEM_CHANNEL_SOCKET", "LLEM_CHILD_POINT", "LLEM_CONTAINER_TERMINAL"),
    *("LLEM_EXPERIMENT", "LLEM_HOST_FD", "LLEM_LIST_EXPERIMENTS", "LLEM_TEST_"),
}
FIELDS = {line.split()[1] for line in INVENTORY if line.startswith("field ")}
HISTORY = {"CHANGELOG.md", "docs/compatibility.md"}
"""Tell of names that there were, or might be."""
CURRENT = [one for one in DOCUMENTS if one not in HISTORY]


def text_of(document: str) -> str:
    return (CHECKOUT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", CURRENT)
def test_options_of_pytest_exist(document: str) -> None:
    named = set(re.findall(r"--llem-[a-z][a-z-]*[a-z]", text_of(document)))
    assert named <= OPTIONS


@pytest.mark.parametrize("document", CURRENT)
def test_commands_exist_with_their_options(document: str) -> None:
    for told in commands_in(text_of(document)):
        assert problem_with(told) is None, f"{told!r}: {problem_with(told)}"


def commands_in(text: str) -> list[str]:
    """``llem …`` at the beginning of a line of code or of a code span, up to its end."""
    text = text.replace("\\\n", " ")
    spans = re.findall(r"`((?:python -m pytest_llem|llem) [^`\n]*)`", text)
    lines = re.findall(r"^(?:\$ )?((?:python -m pytest_llem|llem) .*)$", text, flags=re.MULTILINE)
    told = [one.replace("python -m pytest_llem", "llem") for one in (*spans, *lines)]
    return [re.split(r" (?:&&|[|;>#]) |  ", re.sub(r'"[^"]*"', "TEXT", one))[0] for one in told]


def problem_with(told: str) -> str | None:
    words = told.partition(" -- ")[0].split()
    command, rest = "llem", words[1:]
    while rest and re.fullmatch(r"[a-z]+", rest[0]) and f"{command} {rest[0]}" in COMMANDS:
        command, rest = f"{command} {rest[0]}", rest[1:]
    takes = {one.removeprefix(f"{command} ") for one in COMMANDS if one.startswith(f"{command} ")}
    subcommands = {one for one in takes if re.fullmatch(r"[a-z]+", one)}
    if rest and subcommands and re.fullmatch(r"[a-z]+", rest[0]):
        return f"{command} has no {rest[0]}"
    options = {one.split("=")[0] for one in rest if re.match(r"--?[a-z]", one)}
    return f"{command} has no {options - takes}" if options - takes - {"--help"} else None


@pytest.mark.parametrize("document", CURRENT)
def test_variables_exist(document: str) -> None:
    known = VARIABLES | GIVEN | {"LLEM_"}
    for name in re.findall(r"\bLLEM_[A-Z0-9_]*", text_of(document)):
        field = name.removeprefix("LLEM_").lower().replace("__", ".")
        engine = re.fullmatch(r"LLEM_[A-Z_]+_(PYTHON|IMAGE)", name)
        sections = {one.split(".")[0] for one in FIELDS}
        assert name in known or field in FIELDS or field in sections or engine, name


@pytest.mark.parametrize("document", CURRENT)
def test_targets_of_make_exist(document: str) -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, flags=re.MULTILINE))
    named = re.findall(r"(?:^|`|&& )make ([a-z][a-z0-9-]*)", text_of(document), flags=re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("README.md", "README.zh.md"),
        ("docs/getting-started.md", "docs/zh/getting-started.md"),
    ],
)
def test_a_translation_has_the_same_code_and_headings(english: str, translated: str) -> None:
    def code(document: str) -> list[tuple[str, str, str | None]]:
        return [(one.language, one.text, one.directive) for one in blocks_of(document)]

    def headings(document: str) -> list[int]:
        found = re.findall(
            r"^(#+) ",
            re.sub(r"```.*?```", "", text_of(document), flags=re.DOTALL),
            flags=re.MULTILINE,
        )
        return [len(one) for one in found]

    assert code(translated) == code(english)
    assert headings(translated) == headings(english)
