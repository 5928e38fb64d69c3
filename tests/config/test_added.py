"""Sections of engines that other distributions add: checked, stored sparsely, part of the identity."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instruments.distributions import install
from pytest_llem.config import added
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import config_hash, identity_hash, identity_of
from pytest_llem.config.leaves import Leaf, leaf, leaves_of
from pytest_llem.config.problems import Problem
from pytest_llem.engines.effective import asked, differences
from pytest_llem.errors import ComponentError, ConfigError
from pytest_llem.plan.assembly import Assembly
from pytest_llem.plan.bare import bare_experiment
from pytest_llem.plan.overrides import overrides_of
from pytest_llem.plan.rows import axes_of, rows_of
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
from typing import ClassVar, Literal
from pydantic import Field
from pytest_llem.config.added import AddedSection

class ToyOptions(AddedSection):
    name: ClassVar[str] = "toy"
    api_version: ClassVar[int] = 1
    threads: int | None = Field(default=None, ge=1)
    kernel: Literal["fast", "slow"] = "fast"
    layers: tuple[int, ...] = ()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(added, "SECTIONS", Registry("sections", {}, added.SECTIONS._contract))
    leaf.__globals__["_remembered"].cache_clear()
    monkeypatch.delitem(sys.modules, "llem_toy_options", raising=False)
    return tmp_path


@pytest.fixture
def toy(site: Path) -> Path:
    entry = ("sections", "toy", "llem_toy_options:ToyOptions")
    install(site, "llem-toy", {"llem_toy_options": SOURCE}, [entry])
    return site


def given(**options: Any) -> ExperimentConfig:
    assignments = [f"toy.{name}={json.dumps(value)}" for name, value in options.items()]
    return bare_experiment(overrides_of(["toy"], None, assignments))


def test_an_option_that_does_not_exist_is_answered_with_the_nearest(toy: Path) -> None:
    assert str(leaf("toy.thread", 2)).startswith(
        "toy.thread=2: there is no such option of toy. Did you mean 'toy.threads'? Known: extra,"
    )
    assert "Did you mean 'toy'?" in str(leaf("toi.threads", 2))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("toy.threads", 0, "toy.threads=0: must be a whole number at least 1 or None."),
        ("toy.kernel", "fst", "Did you mean 'fast'?"),
        ("toy.layers", [1, "x"], "toy.layers[1]='x': must be a whole number."),
        ("toy", 3, "toy=3: must be a mapping."),
        ("toy.extra.x", 3, "toy.extra is set as a whole"),
        ("toy.extra", {"x": object()}, "must be made of texts"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_what_can(
    toy: Path, path: str, value: Any, said: str
) -> None:
    found = leaf(path, value)
    assert isinstance(found, Problem)
    assert said in str(found)


def test_the_engine_reads_typed_options_and_the_configuration_holds_what_was_set(
    toy: Path,
) -> None:
    config = given(threads=2, kernel="fast", layers=[1, 2])
    assert config.engine_options == {"toy": {"layers": [1, 2], "threads": 2}}
    section = added.model_of_added("toy").of(config)
    assert (section.threads, section.kernel, section.layers) == (2, "fast", (1, 2))
    assert ExperimentConfig.model_validate_json(config.model_dump_json()) == config
    assert added.model_of_added("toy").of(ExperimentConfig()).given() == {}


def test_options_belong_to_the_identity_of_their_engine_alone(toy: Path) -> None:
    plain = ExperimentConfig(backend="toy")
    assert "engine_options" not in identity_of(plain)
    assert config_hash(given(threads=None, kernel="fast")) == config_hash(plain)
    assert config_hash(given(threads=2)) != config_hash(plain)
    other = given(threads=2).model_copy(update={"backend": "vllm"})
    assert config_hash(other) == config_hash(ExperimentConfig(backend="vllm"))


def test_a_planned_point_is_that_of_full_validation(toy: Path) -> None:
    shared = {one.path: one for one in leaves_of("toy", {"threads": 2}) if isinstance(one, Leaf)}
    own = (leaf("toy.kernel", "slow"), leaf("backend", "toy"), leaf("seed", 3))
    assembly = Assembly("group", shared)
    leaves = [one for one in own if isinstance(one, Leaf)]
    config = assembly.config(leaves)
    whole = ExperimentConfig(
        backend="toy", seed=3, engine_options={"toy": {"kernel": "slow", "threads": 2}}
    )
    assert config == whole
    assert assembly.identity(leaves, "toy", {}) == identity_hash(whole)
    assert assembly.config([leaves[2]]).engine_options == {"toy": {"threads": 2}}
    assert assembly.identity([leaves[2]], "transformers", {}) == identity_hash(
        ExperimentConfig(seed=3)
    )


def test_a_grid_crosses_options_with_their_engine_only(toy: Path) -> None:
    axes = axes_of({"backend": ["toy", "vllm"], "toy.threads": [1, 2]}, {})
    rows = rows_of(axes, None, None)
    assert len(rows) == 3


def test_what_took_another_effect_is_a_difference(toy: Path) -> None:
    config = given(threads=2, extra={"x": 1})
    assert asked(config)["threads"] == 2
    assert "extra" not in asked(config)
    assert differences(config, {"effective": {"threads": 4}}) == [
        "threads=2 was asked for, but 4 took effect"
    ]


def test_an_engine_refuses_what_was_never_checked(toy: Path) -> None:
    unchecked = ExperimentConfig(engine_options={"toy": {"thread": 2}})
    with pytest.raises(ConfigError, match=r"toy\.thread=2: .*Did you mean 'threads'"):
        added.model_of_added("toy").of(unchecked)
    with pytest.raises(ValueError, match="vllm has a field of its own"):
        ExperimentConfig(engine_options={"vllm": {}})


def test_results_load_where_the_distribution_is_not_installed(site: Path) -> None:
    text = '{"backend": "toy", "engine_options": {"toy": {"threads": 2}}}'
    assert ExperimentConfig.model_validate_json(text).engine_options["toy"] == {"threads": 2}
    assert "there is no such field 'toy'" in str(leaf("toy.threads", 2))


def test_a_section_of_another_version_or_of_two_distributions_names_them(toy: Path) -> None:
    install(toy, "llem-second", {}, [("sections", "toy", "llem_toy_options:ToyOptions")])
    assert "llem-second 1.0" in str(leaf("toy.threads", 2))
    newer = SOURCE.replace("api_version: ClassVar[int] = 1", "api_version: ClassVar[int] = 9")
    install(
        toy,
        "llem-newer",
        {"llem_newer": newer.replace('"toy"', '"newer"')},
        [("sections", "newer", "llem_newer:ToyOptions")],
    )
    added.SECTIONS._offered = None
    assert "written for version 9" in str(leaf("newer.threads", 2))


def test_a_section_that_is_none_is_refused(site: Path) -> None:
    source = "class Odd:\n    name = 'odd'\n    api_version = 1\n    def given(self): ...\n"
    install(site, "llem-odd", {"llem_odd": source}, [("sections", "odd", "llem_odd:Odd")])
    with pytest.raises(ComponentError, match="must be a subclass"):
        added.model_of_added("odd")
    assert isinstance(leaf("odd.x", 1), Problem)


def test_nobody_takes_the_name_of_a_field(site: Path) -> None:
    install(site, "llem-odd", {"llem_odd": "1 / 0"}, [("sections", "vllm", "llem_odd:Odd")])
    assert added.added_names() == frozenset()
    assert isinstance(leaf("vllm.max_num_seqs", 2), Leaf)
