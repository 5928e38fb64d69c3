"""What becomes of a difference between two fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.differences import compare_fingerprints, differences_of
from pytest_llem.baselines.fingerprint import Fingerprint, fingerprint
from pytest_llem.baselines.matching import policy
from pytest_llem.errors import ConfigError
from pytest_llem.results.schema import DeviceFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]

OTHER = (DeviceFacts(uuid="GPU-z", name="NVIDIA A100", index=0, power_limit_w=400.0),)


@pytest.fixture
def sides(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> tuple[Fingerprint, Fingerprint]:
    """Two fingerprints that differ in every field but what is fixed."""
    before = fingerprint(
        make_result(engine={"dtype": "bf16", "device_type": "cuda"}), make_environment()
    )
    environment = make_environment(
        os="Fedora",
        kernel="Linux 7",
        python="CPython 3.14",
        cpu_model="Xeon",
        threads=4,
        driver_version="520.1",
        packages={"torch": "3.0.0", "transformers": "5.22.0"},
        git={"commit": "fedcba9876543210", "dirty": True},
        container=True,
    )
    now = make_result(
        config={"backend": "vllm"},
        engine={"dtype": "fp16", "device_type": "cpu"},
        methodology={
            "meter": "zeus",
            "estimator": "other 1",
            "devices": OTHER,
            "shared": True,
            "declared_w_per_core": 5.0,
        },
    )
    return before, fingerprint(now, environment)


def test_every_field_has_a_policy_by_default(sides: tuple[Fingerprint, Fingerprint]) -> None:
    found = {one.field.partition(".")[0]: one.default for one in differences_of(*sides)}
    assert (
        found.keys() | {"scope", "method", "work", "workload", "totals", "beside"}
        == Fingerprint.model_fields.keys()
    )
    must = {name for name, choice in found.items() if choice == "must-match"}
    assert must == {
        "backend",
        "meter",
        "estimator",
        "devices",
        "device_type",
        "power_limits_w",
        "shared",
        "declared_w_per_core",
        "driver_version",
    }


@pytest.mark.parametrize("choice", ["must-match", "warn", "ignore"])
def test_each_choice_holds_for_each_field(
    sides: tuple[Fingerprint, Fingerprint], choice: Any
) -> None:
    names = {one.field for one in differences_of(*sides)}
    for name in names:
        (said, *_) = (one.said for one in differences_of(*sides) if one.field == name)
        found = compare_fingerprints(*sides, policy({name: choice}))
        assert (said in found.refuse) == (choice == "must-match")
        assert (said in found.differ) == (choice == "warn")


def test_a_member_follows_its_table_unless_it_is_named(
    sides: tuple[Fingerprint, Fingerprint],
) -> None:
    found = compare_fingerprints(
        *sides, policy({"packages": "ignore", "packages.torch": "must-match"})
    )
    assert "torch 2.13.0 → 3.0.0" in found.refuse
    engine = compare_fingerprints(*sides, policy({"engine": "ignore"}))
    assert not any("dtype" in said for said in engine.differ)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"driver": "ignore"}, "Did you mean 'driver_version'?"),
        ({"commit.sha": "ignore"}, "no field of a fingerprint"),
        ({"work": "warn"}, "has to match always"),
        ({"scope": "ignore"}, "has to match always"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(table: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        policy(table)
