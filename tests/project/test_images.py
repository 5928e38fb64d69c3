"""Images of the engines: one for each, of what the build is given."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from pytest_llem.config.experiment import ENGINE_SECTIONS
from pytest_llem.config.traffic import SERVER

CHECKOUT = Path(__file__).resolve().parents[2]
DOCKERFILES = {path.stem: path.read_text() for path in (CHECKOUT / "docker").glob("*.Dockerfile")}


def test_every_engine_has_an_image() -> None:
    servers = {SERVER}  # what they run in is their own affair
    assert {name.replace("-", "_") for name in DOCKERFILES} == set(ENGINE_SECTIONS) - servers


def test_every_image_is_published() -> None:
    workflow = yaml.safe_load((CHECKOUT / ".github/workflows/images.yml").read_text())
    assert set(workflow["jobs"]["image"]["strategy"]["matrix"]["engine"]) == set(DOCKERFILES)


def test_an_image_is_built_from_the_checkout_and_installs_it() -> None:
    kept = (CHECKOUT / ".dockerignore").read_text().splitlines()
    needed = ["pyproject.toml", "src", "README.md", "LICENSE"]  # by the build of the package
    assert kept[0] == "*"
    assert {f"!{name}" for name in needed} <= set(kept)
    for text in DOCKERFILES.values():
        assert "COPY . /usr/src/pytest-llem" in text
        assert re.search(r"python3 -m pip install .*/usr/src/pytest-llem", text)
