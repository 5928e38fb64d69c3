"""Layers: who wins, who is named, and what is refused where."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.documents.document import Document, Place
from pytest_llem.config.effective import effective
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.layers.fields import given_in
from pytest_llem.config.layers.layer import ORDER, Given, Layers, Origin, layered
from pytest_llem.config.layers.project import user_directory
from pytest_llem.config.layers.standing import Standing, heard, read_standing, told
from pytest_llem.config.layers.variables import RESERVED, given_by, is_reserved, variable_of
from pytest_llem.config.leaves import FIELDS, Leaf, is_section, leaf, options_of
from pytest_llem.config.names import FIELD_NAMES
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

H100 = "NVIDIA H100 80GB HBM3"
PATHS = ["batch_size", "seed", "vllm.max_num_seqs", "measurement.windows"]
SAID = st.lists(st.tuples(st.sampled_from(ORDER), st.sampled_from(PATHS), st.integers(1, 99)))


def one(layer: Any, path: str, value: Any) -> Given:
    found = leaf(path, value)
    assert isinstance(found, Leaf)
    return Given(found, Origin(layer))


def values(layers: Layers) -> dict[str, Any]:
    return {path: leaf.plain for path, leaf in layers.leaves.items()}


def stand(
    project: Path,
    environ: Mapping[str, str] | None = None,
    devices: tuple[str, ...] = (),
    profile: str | None = None,
) -> Standing:
    return read_standing(project, environ or {}, lambda: devices, profile)


@given(SAID)
def test_the_strongest_layer_wins_field_by_field_in_whatever_order(
    said: list[tuple[Any, str, int]],
) -> None:
    layers = layered(one(*triple) for triple in said)
    for path in PATHS:
        mine = [(ORDER.index(layer), value) for layer, where, value in said if where == path]
        if not mine:
            assert path not in layers.given
            assert layers.origin(path).layer == "default"
            continue
        strongest = max(rank for rank, _ in mine)
        assert layers.origin(path).layer == ORDER[strongest]
        assert values(layers)[path] == [value for rank, value in mine if rank == strongest][-1]


@given(SAID)
def test_layers_may_be_put_together_one_after_another(said: list[tuple[Any, str, int]]) -> None:
    whole = layered(one(*triple) for triple in said)
    by_layer = sorted(said, key=lambda triple: ORDER.index(triple[0]))
    for cut in range(len(by_layer) + 1):
        lower = layered(one(*triple) for triple in by_layer[:cut])
        upper = [one(*triple) for triple in by_layer[cut:]]
        assert values(layered([*lower, *upper])) == values(whole)


@given(SAID)
def test_a_child_hears_what_it_is_told(said: list[tuple[Any, str, int]]) -> None:
    layers = layered(one(*triple) for triple in said)
    there = heard(told(layers))
    assert values(there) == values(layers)
    assert there.origins == layers.origins


def test_each_layer_wins_over_those_before_it(tmp_path: Path) -> None:
    environ: dict[str, str] = {"XDG_CONFIG_HOME": str(tmp_path / "home")}
    own = tmp_path / "own.toml"
    own.write_text("[measurement]\nwindows = 2\n")
    user = tmp_path / "home" / "llem" / "llem.yaml"
    user.parent.mkdir(parents=True)
    steps = [
        (1, "profile", lambda: None),
        (2, "user", lambda: user.write_text("measurement: {windows: 3}")),
        (3, "project", lambda: (tmp_path / "llem.yaml").write_text("measurement:\n  windows: 4")),
        (4, "environment", lambda: environ.update(LLEM_MEASUREMENT__WINDOWS="5")),
    ]
    for value, layer, step in steps:
        step()
        layers = stand(tmp_path, environ, profile=str(own)).layers
        assert values(layers) == {"measurement.windows": value + 1}
        assert layers.origin("measurement.windows").layer == layer


def test_origins_name_file_line_and_column_or_the_variable(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.llem]\nbatch_size = 4\n[tool.llem.vllm]\n  max_num_seqs = 64\n"
    )
    layers = stand(tmp_path, {"LLEM_SEED": "7"}).layers
    file = str(tmp_path / "pyproject.toml")
    assert layers.origins == {
        "batch_size": Origin("project", Place(file, 2, 1)),
        "vllm.max_num_seqs": Origin("project", Place(file, 4, 3)),
        "seed": Origin("environment", by="LLEM_SEED"),
    }


def test_other_tables_of_the_project_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.llem.gates]\nttft_s = "5%"\n[tool.llem.engines.vllm]\npython = "x"\n'
    )
    (tmp_path / "llem.yaml").write_text("batch_size: 2")
    assert values(stand(tmp_path).layers) == {"batch_size": 2}


def test_a_project_says_its_fields_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.llem]\nseed = 1\n")
    (tmp_path / "llem.yaml").write_text("batch_size: 2")
    with pytest.raises(ConfigError, match=r"pyproject\.toml:2:1: seed is said .*llem\.yaml"):
        stand(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch_sise: 8", "1:1: batch_sise=8: there is no such field. Did you mean 'batch_size'"),
        ("seed: 1\nbatch_size: 0", "2:1: batch_size=0: must be a whole number from 1"),
        ("vllm:\n  max_num_seq: 3", "2:3: vllm.max_num_seq=3: there is no such option of vllm"),
        ("vllm: 3", "1:1: vllm=3: must be a mapping"),
        ("prompts: [a, 3]", "1:14: prompts[1]=3"),
        ("measurement: {windows: nine}", "1:15: measurement.windows='nine'"),
        ("dtype: bfloat61", "Did you mean 'bfloat16'"),
        ("profil: cpu", "Did you mean 'profile'"),
        ("profile: [a]", "1:1: profile must be a name or a path"),
        ("gates: {a: b}", "1:1: gates"),
        ("engine_options: {}", "1:1: engine_options"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "llem.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        stand(tmp_path)
    assert f"{tmp_path / 'llem.yaml'}:" in str(caught.value)
    assert said in str(caught.value)


def test_all_that_is_wrong_with_a_file_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "llem.yaml").write_text("batch_size: 0\nseed: -1\ndtype: float32\nx: 1\n")
    with pytest.raises(ConfigError) as caught:
        stand(tmp_path)
    lines = [re.search(r"llem\.yaml:(\d)", line) for line in str(caught.value).splitlines()]
    assert [found[1] for found in lines if found] == ["1", "2", "4"]


@given(
    st.dictionaries(
        st.sampled_from(sorted(FIELD_NAMES)) | st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["windows", "extra", "path", "x"]), inner, max_size=2
                )
            ),
        ),
        max_size=3,
    )
)
def test_no_mapping_is_met_with_a_traceback(value: dict[str, Any]) -> None:
    said = ""
    try:
        layers = layered(given_in(Document("f", value), "project"))
        assert {one.origin.layer for one in layers} <= {"project"}
    except ConfigError as error:
        said = str(error)
    assert all(line.startswith(("f:", "and ")) for line in said.splitlines())


@given(st.dictionaries(st.sampled_from(sorted(FIELD_NAMES)).map(variable_of), st.text(max_size=6)))
def test_no_variable_is_met_with_a_traceback(environ: dict[str, str]) -> None:
    said = ""
    try:
        given_by(environ, Path("/nowhere"))
    except ConfigError as error:
        said = str(error)
    assert all(line.startswith(("LLEM_", "and ")) for line in said.splitlines())


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "LLEM_BATHC_SIZE",
            "8",
            "LLEM_BATHC_SIZE: there is no such variable. Did you mean LLEM_BATCH_SIZE?",
        ),
        ("LLEM_VLLM_MAX_NUM_SEQS", "8", "Did you mean LLEM_VLLM__MAX_NUM_SEQS?"),
        ("LLEM_CACHE_DIRS", "8", "Did you mean LLEM_CACHE_DIR?"),
        ("LLEM_BATCH_SIZE", "many", "LLEM_BATCH_SIZE='many': must be a whole number"),
        ("LLEM_MEASUREMENT__WINDOWS", "0", "LLEM_MEASUREMENT__WINDOWS='0': must be"),
        ("LLEM_VLLM", "[]", "LLEM_VLLM='[]': must be a mapping"),
        ("LLEM_", "x", "LLEM_: there is no such variable"),
        ("LLEM_BATCH_SIZE__X", "1", "there is no such variable"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_named(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        given_by({name: text})
    assert said in str(caught.value)


def test_an_empty_variable_says_nothing_and_a_whole_section_may_be_given() -> None:
    environ = {"LLEM_BATCH_SIZE": "", "LLEM_MEASUREMENT": '{"windows": 3, "window_s": 2}'}
    assert values(layered(given_by(environ))) == {
        "measurement.windows": 3,
        "measurement.window_s": 2.0,
    }


def test_variables_that_mean_something_else_are_no_fields() -> None:
    environ = dict.fromkeys(RESERVED, "x") | {"LLEM_VLLM_PYTHON": "x", "LLEM_TEST_ANY": "x"}
    assert given_by(environ) == []


def test_no_field_has_the_variable_of_something_else() -> None:
    paths = itertools.chain.from_iterable(
        [f"{name}.{option}" for option in options_of(name)] if is_section(name) else [name]
        for name in FIELDS
    )
    names = [variable_of(path) for path in paths]
    assert len(set(names)) == len(names)
    assert not [name for name in names if is_reserved(name)]


def test_every_variable_of_the_package_is_reserved() -> None:
    package = Path(__file__).parents[2] / "src" / "pytest_llem"
    found = {
        name
        for file in package.rglob("*.py")
        for name in re.findall(r"[\"'](LLEM_[A-Z_]+)[\"']", file.read_text())
    }
    assert {name for name in found if not is_reserved(name)} <= {"LLEM_"}
    assert found - {"LLEM_"} >= RESERVED.keys() - {"LLEM_PROFILE"}


def test_a_file_is_found_from_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "llem.yaml").write_text("workload: {source: jsonl, path: texts.jsonl}")
    assert values(stand(tmp_path).layers)["workload.path"] == str(tmp_path / "texts.jsonl")


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "linux", "/x/llem"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}, "linux", "/h/.config/llem"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Application Support/llem"),
        ({}, "linux", None),
    ],
)
def test_a_users_files_are_where_the_platform_has_them(
    environ: dict[str, str], platform: str, expected: str | None
) -> None:
    found = user_directory(environ, platform)
    assert found == (None if expected is None else Path(expected))


def test_every_field_has_an_effective_value_and_who_gave_it() -> None:
    layers = layered([one("user", "batch_size", 3), one("environment", "vllm.max_num_seqs", 9)])
    found = {each.path: each for each in effective(layers, everything=True)}
    plain = ExperimentConfig().model_dump(mode="json", exclude={"engine_options"})
    assert {path.partition(".")[0] for path in found} == plain.keys()
    assert (found["batch_size"].value, found["batch_size"].origin.layer) == (3, "user")
    assert found["vllm.max_num_seqs"].origin.layer == "environment"
    assert found["measurement.windows"].value == plain["measurement"]["windows"]
    assert found["seed"].origin.layer == "default"
    short = {each.path for each in effective(layers)}
    assert {path for path in short if path.startswith("vllm.")} == {"vllm.max_num_seqs"}
