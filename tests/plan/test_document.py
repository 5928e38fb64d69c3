"""The plan as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import identity_hash
from pytest_llem.plan.document import plan_document
from pytest_llem.plan.json_schema import FILE_NAME, json_schema
from pytest_llem.plan.memory.facts import ModelFacts
from pytest_llem.plan.memory.fit import Room
from pytest_llem.plan.memory.fits import Fits
from pytest_llem.plan.outlook import AllAre, Forecast, Outlook
from pytest_llem.plan.point import Point

ROOT = Path(__file__).parents[2]


class Half:
    """Foretells every point but those of one request."""

    def of(self, point: Point) -> Forecast:
        if point.config is not None and point.config.batch_size == 1:
            return Forecast("unknown", "nobody knows")
        return Forecast("run", "run x", 60.0, 1000.0, 2)

    def hopeless(self) -> str | None:
        return None


def test_the_schema_is_the_one_in_the_repository() -> None:
    stored = json.loads((ROOT / "schemas" / FILE_NAME).read_text(encoding="utf-8"))
    assert stored == json_schema(), "write it anew: python -m pytest_llem.plan.json_schema"


def test_a_plan_obeys_its_schema_and_adds_up() -> None:
    def valid(size: int, label: str) -> Point:
        config = ExperimentConfig(batch_size=size)
        return Point("g", label, config, identity_hash(config), {}, {"batch_size": size})

    broken = Point("g", "0", None, "", {}, {"batch_size": 0}, "batch_size=0: too small")
    facts = ModelFacts({"model_type": "llama"})
    fits = Fits(lambda model, revision: facts, lambda config: Room("a card", 1 << 30, 1))
    outlook = Outlook(lambda points: AllAre("missing"), fits, Half())
    groups = {"g": [valid(1, "1"), broken, valid(2, "2"), valid(2, "again")]}
    plan = json.loads(plan_document(groups, outlook, repeats=3).model_dump_json())
    jsonschema.validate(plan, json_schema())
    states = [(point["state"], point["reason"]) for point in plan["points"]]
    assert states == [
        ("valid", None),
        ("invalid", "batch_size=0: too small"),
        ("valid", None),
        ("duplicate", "repeats g[2]"),
    ]
    assert plan["totals"] == {
        "points": 4,
        "valid": 2,
        "invalid": 1,
        "duplicate": 1,
        "processes": 9,
        "wall_s": 360.0,
        "wall_known_of": 2,
        "energy_j": 6000.0,
        "energy_known_of": 2,
        "gpu_hours": 0.2,
        "gpu_hours_known_of": 2,
    }
    assert plan["points"][0]["memory"]["verdict"] == "unknown"
    assert plan["points"][0]["memory"]["weights_bytes"] is None
    assert plan["points"][1]["config"] is None
