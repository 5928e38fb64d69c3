"""Every name that users rely on: ``python scripts/inventory.py [--start]``.

Writes ``docs/inventory.txt``, and into the CHANGELOG what has come and gone since the inventory that is
named there. ``--start`` takes the present one for that, which is what a release does.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from public_api import public_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel


ROOT = Path(__file__).resolve().parent.parent
INVENTORY, CHANGELOG = Path("docs/inventory.txt"), Path("CHANGELOG.md")
UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^### Inventory\n(.*?)(?=^###? |\Z)", re.MULTILINE | re.DOTALL)
START = re.compile(r"inventory `([0-9a-f]{12})`")
ENTRY = re.compile(r"^- (added|removed) `(.+)`$", re.MULTILINE)
HEAD = "# Written by `make inventory`. One name that users rely on a line.\n"
INTRODUCTION = (
    "Names that came or went since inventory `{}` ([docs/inventory.txt](docs/inventory.txt)), as "
    "`make inventory`\nwrites them; what they mean for users is said above.\n"
)


class StrayError(Exception):
    """Inventory and CHANGELOG contradict each other."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the CHANGELOG says of the inventory."""

    start: str
    """Fingerprint of the inventory that changes are counted from."""
    added: frozenset[str]
    removed: frozenset[str]

    def before(self, now: frozenset[str]) -> frozenset[str]:
        """The inventory that changes are counted from, if *now* is as the CHANGELOG says.

        Raises:
            StrayError: it is not.
        """
        start = (now - self.added) | self.removed
        if fingerprint(start) == self.start and self.added <= now and not self.removed & now:
            return start
        raise StrayError(
            f"{INVENTORY} and the section Inventory of {CHANGELOG} contradict each other, as after "
            "a merge. Take both files from one side, then: make inventory"
        )


def fingerprint(lines: Iterable[str]) -> str:
    """Of an inventory, whatever its order."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


def told(changelog: str) -> Told:
    """What the CHANGELOG's section says.

    Raises:
        StrayError: there is none.
    """
    unreleased = UNRELEASED.search(changelog)
    section = unreleased and SECTION.search(unreleased[1])
    start = section and START.search(section[1])
    if not (section and start):
        raise StrayError(f"{CHANGELOG}: [Unreleased] has no section Inventory. Run: make inventory")
    found = ENTRY.findall(section[1])
    added, removed = (
        {name for kind, name in found if kind == word} for word in ("added", "removed")
    )
    return Told(start[1], frozenset(added), frozenset(removed))


def committed(root: Path) -> frozenset[str]:
    """The inventory as it is in the repository."""
    text = (root / INVENTORY).read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def problems(root: Path, now: frozenset[str]) -> list[str]:
    """What the repository does not say of the inventory that is *now*."""
    before = committed(root)
    found = [f"{INVENTORY} has no {line!r}" for line in sorted(now - before)]
    found += [f"{INVENTORY} still has {line!r}" for line in sorted(before - now)]
    try:
        told((root / CHANGELOG).read_text(encoding="utf-8")).before(before)
    except StrayError as error:
        found.append(str(error))
    return found


def update(root: Path, now: frozenset[str], *, start: bool = False) -> None:
    """Write the inventory that is *now*, and into the CHANGELOG what changed.

    Raises:
        StrayError: the two contradict each other.
    """
    path = root / CHANGELOG
    changelog = path.read_text(encoding="utf-8")
    before = now if start else told(changelog).before(committed(root))
    lines = [f"- added `{one}`" for one in sorted(now - before)]
    lines += [f"- removed `{one}`" for one in sorted(before - now)]
    entries = "".join(f"{line}\n" for line in lines)
    text = INTRODUCTION.format(fingerprint(before)) + (f"\n{entries}" if entries else "")
    path.write_text(_with_section(changelog, f"### Inventory\n\n{text}"), encoding="utf-8")
    (root / INVENTORY).write_text(HEAD + "".join(f"{one}\n" for one in sorted(now)), "utf-8")


def _with_section(changelog: str, section: str) -> str:
    unreleased = UNRELEASED.search(changelog)
    if unreleased is None:
        raise StrayError(f"{CHANGELOG} has no [Unreleased].")
    body = unreleased[1]
    last = "\n" if changelog[unreleased.end() :] else ""
    old = SECTION.search(body)
    if old:
        body = (
            body[: old.start()]
            + section
            + ("\n" if body[old.end() :] else last)
            + body[old.end() :]
        )
    else:
        body = f"{body.rstrip()}\n\n{section}{last}"
    return changelog[: unreleased.start(1)] + body + changelog[unreleased.end(1) :]


def inventory() -> frozenset[str]:
    """Every name that users rely on, a line each."""
    makers = (_api, _pytest, _variables, _components, _hooks, _commands, _schemas, _files, _figures)
    return frozenset(line for maker in makers for line in maker())


def _api() -> Iterator[str]:
    for one in public_names():
        yield f"api {one.name}" if one.is_class else f"api {one.name}({one.parameters})"
        yield from (f"api {one.name}.{member.name}{member.parameters}" for member in one.members)


class _Options:
    """Takes what a plugin tells pytest's parser."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def getgroup(self, *_: object) -> _Options:
        return self

    def addoption(self, *names: str, **attributes: Any) -> None:
        choices = attributes.get("choices")
        said = f" ({'|'.join(map(str, choices))})" if choices else ""
        self.lines += [f"option {name}{said}" for name in names]

    def addini(self, name: str, *_: object, **__: object) -> None:
        self.lines.append(f"ini {name}")


def _pytest() -> Iterator[str]:
    from pytest_llem import plugin
    from pytest_llem.config.leaves import FIELDS, SECTIONS, options_of
    from pytest_llem.plan.markers import GATES, MARKER, REPEATS

    options: Any = _Options()
    plugin.pytest_addoption(options)
    yield from options.lines
    yield from (f"fixture {name}" for name in plugin.__all__)
    yield from (f"marker {MARKER} {keyword}" for keyword in ("<field>", GATES, REPEATS))
    for field in FIELDS:
        yield f"field {field}"
        if field in SECTIONS:
            yield from (f"field {field}.{option}" for option in options_of(field))


def _variables() -> Iterator[str]:
    from pytest_llem.config.layers.variables import RESERVED

    private = ("told to ", "marks ")
    public = (name for name, use in RESERVED.items() if not use.startswith(private))
    patterns = ("<FIELD>", "<SECTION>__<OPTION>", "<ENGINE>_PYTHON", "<ENGINE>_IMAGE")
    yield from (f"variable {name}" for name in public)
    yield from (f"variable LLEM_{pattern}" for pattern in patterns)


def _components() -> Iterator[str]:
    from pytest_llem.components.offered import GROUP
    from pytest_llem.runs.components import registries

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group, points in {**project["entry-points"], "console_scripts": project["scripts"]}.items():
        yield from (f"entry point {group} {name}" for name in points)
    for registry in registries():
        yield f"group {GROUP}.{registry.kind} (version {registry.version})"
        listed = (one.component for one in registry.listing())
        yield from (f"component {one.kind}.{one.name}" for one in listed if one.builtin)


def _hooks() -> Iterator[str]:
    from pytest_llem import hookspecs

    for name, hook in inspect.getmembers(hookspecs, inspect.isfunction):
        if name.startswith("pytest_"):
            yield f"hook {name}({', '.join(inspect.signature(hook).parameters)})"


def _commands() -> Iterator[str]:
    import typer.main

    from pytest_llem.cli import app

    yield from _command(typer.main.get_command(app), "llem")


def _command(command: Any, name: str) -> Iterator[str]:
    yield f"command {name}"
    for one in command.params:
        if one.param_type_name == "argument":
            yield f"command {name} {one.metavar or str(one.name).upper()}"
        else:
            spelled = (text for text in [*one.opts, *one.secondary_opts] if text != "--help")
            yield from (f"command {name} {text}" for text in spelled)
    for own, inner in getattr(command, "commands", {}).items():
        yield from _command(inner, f"{name} {own}")


def _schemas() -> Iterator[str]:
    from pytest_llem.runs.schemas import json_schemas

    for file in json_schemas():
        name, version, *_ = file.split(".")
        yield f"schema {name} {version}"


def _files() -> Iterator[str]:
    from pytest_llem.config.gates import BaselineTable
    from pytest_llem.config.homes import Containers, Home
    from pytest_llem.config.layers.project import OTHER_TABLES, PROFILE
    from pytest_llem.config.profiles.finding import names
    from pytest_llem.config.profiles.profile import Profile
    from pytest_llem.config.study_file import KEYS

    yield f"file llem.yaml {PROFILE}"
    yield from (f"file *.llem.yaml {key}" for key in KEYS)
    yield from (f"file pyproject.toml [tool.llem.{table}]" for table in OTHER_TABLES)
    tables: dict[str, type[BaseModel]] = {
        "baselines": BaselineTable,
        "container": Containers,
        "engines.<engine>": Home,
    }
    for table, model in tables.items():
        yield from (f"file pyproject.toml [tool.llem.{table}] {key}" for key in model.model_fields)
    yield from (f"file profile {key}" for key in Profile.model_fields)
    yield from (f"profile {name}" for name in names())


def _figures() -> Iterator[str]:
    from pytest_llem.baselines.metrics import BESIDE_QUANTITIES, METRICS, beside_name
    from pytest_llem.energy.estimator.window import ESTIMATOR

    yield f"estimator {ESTIMATOR}"
    yield from (f"metric {name}" for name in METRICS)
    yield from (f"metric {beside_name('SCOPE', 'METER', name)}" for name in BESIDE_QUANTITIES)
    yield "metric quality.NAME"


def main(arguments: list[str]) -> int:
    """Write the inventory, or say why that cannot be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--start", action="store_true", help="count changes from here on")
    try:
        update(ROOT, inventory(), start=parser.parse_args(arguments).start)
    except StrayError as error:
        print(error, file=sys.stderr)
        return 1
    print(ROOT / INVENTORY)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
