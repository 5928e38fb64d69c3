"""Study files: what they say, and where what they cannot say stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llem.config.study_file import name_of_study, read_study
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
name: quant-v2
base:
  output_tokens: 8
  vllm: {enforce_eager: true}
sweep:
  batch_size: [1, 8]
  vllm.max_num_seqs: [64]
  shape:
    - {name: short, input_tokens: 16}
    - {input_tokens: 512, output_tokens: 1}
exclude:
  - {batch_size: [8], input_tokens: 512}
experiments:
  - {batch_size: 64}
repeats: 3
order: {shuffle: 7}
gates: {energy_per_output_token_j: 5%}
"""


def study(directory: Path, text: str, name: str = "it.llem.yaml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def wrong(directory: Path, text: str) -> list[str]:
    """What is wrong with a study, as ``line:column: path...``."""
    path = study(directory, text)
    with pytest.raises(ConfigError) as raised:
        read_study(path)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(str(path)) for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_a_study_says_what_is_the_same_what_varies_and_how_it_is_run(tmp_path: Path) -> None:
    found = read_study(study(tmp_path, WHOLE))
    assert found.name == "quant-v2"
    assert found.base == {"output_tokens": 8, "vllm": {"enforce_eager": True}}
    assert list(found.sweep) == ["batch_size", "vllm.max_num_seqs", "shape"]
    assert found.exclude == ({"batch_size": [8], "input_tokens": 512},)
    assert found.experiments == ({"batch_size": 64},)
    assert (found.repeats, found.shuffle_seed) == (3, 7)
    assert found.gates == {"energy_per_output_token_j": "5%"}


def test_every_part_but_the_experiments_may_be_left_out(tmp_path: Path) -> None:
    found = read_study(study(tmp_path, "experiments:\n  - {batch_size: 1}\n"))
    assert (found.name, found.sweep, found.repeats, found.shuffle_seed) == ("it", {}, None, None)
    assert "no experiment" in wrong(tmp_path, "name: it\n")[0]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("quant.llem.yaml", "quant"),
        ("a b!c.llem.yml", "a-b-c"),
        ("x.yaml", "x"),
        ("-.yaml", "study"),
    ],
)
def test_a_study_without_a_name_is_called_like_its_file(
    tmp_path: Path, file: str, name: str
) -> None:
    assert name_of_study(tmp_path / file) == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "base: {bach_size: 1}",
            "1:8: bach_size=1: there is no such field. Did you mean 'batch_size'",
        ),
        ("base:\n  batch_size: 0", "2:3: batch_size=0: must be a whole number"),
        ("base:\n  vllm:\n    max_num_seq: 1", "3:5: vllm.max_num_seq=1: there is no such option"),
        ("sweep:\n  dtype: float32", "2:3: dtype: must be a list of values"),
        ("sweep:\n  dtype: []", "2:3: dtype=[]: is an axis without values"),
        ("sweep:\n  batch_size:\n    - 1\n    - x", "4:7: batch_size='x': must be"),
        ("sweep:\n  vllm: {max_num_seqs: 4}", "2:10: vllm.max_num_seqs: must be a list"),
        ("sweep:\n  shape:\n    - {output: 1}", "3:8: output=1: there is no such field"),
        (
            "sweep:\n  shape:\n    - {name: only}",
            "3:7: sweep.shape[0]={'name': 'only'}: sets no field",
        ),
        ("sweep: [1]", "1:1: sweep=[1]: must be a mapping"),
        ("base: {seed: 1}\nexclude: {seed: 1}", "2:1: exclude={'seed': 1}: must be a list"),
        ("base: {seed: 1}\nexclude: [1]", "2:11: exclude[0]=1: must be a mapping of fields"),
        ("base: {seed: 1}\nexclude:\n  - {seed: [1, x]}", "3:6: seed='x': must be"),
        ("base: {seed: 1}\nrepeats: 0", "2:1: repeats=0: must be a number of processes"),
        ("base: {seed: 1}\nrepeats: true", "2:1: repeats=True: must be a number of processes"),
        ("base: {seed: 1}\norder: random", "2:1: order='random': must be listed"),
        ("base: {seed: 1}\ngates: {ttft_s: 5}", "2:9: gates.ttft_s=5: must be a text"),
        ("base: {seed: 1}\nname: a b", "2:1: name='a b': must be letters"),
        (
            "base: {seed: 1}\nswep: {}",
            "2:1: swep={}: there is no such part of a study. Did you mean 'sweep'",
        ),
        ("base: {seed: 1}\nbase: {}", "2:1: the key 'base' is given twice"),
        ("- 1", "1:1: must be a mapping"),
        ("base: {seed: 1", "1:15: this is no YAML"),
    ],
)
def test_what_cannot_be_is_told_with_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    assert wrong(tmp_path, text)[0].startswith(said)


def test_all_that_is_wrong_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "repeats: 0\nbase:\n  batch_size: 0\n  seed: x\nfoo: 1\n"
    assert [line.partition(":")[0] for line in wrong(tmp_path, text)] == ["1", "3", "4", "5"]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
PARTS = ("base", "sweep", "exclude", "experiments", "repeats", "order", "gates", "name")
FIELDS = ("batch_size", "vllm", "vllm.max_num_seqs", "shape", "prompts", "workload", "measurement")
INNER = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3)
STUDIES = st.dictionaries(st.sampled_from(PARTS), VALUES | INNER | st.lists(INNER, max_size=3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=STUDIES)
def test_whatever_a_file_holds_is_a_study_or_an_error_that_says_where(
    tmp_path: Path, value: dict[str, object]
) -> None:
    import yaml

    path = study(tmp_path, yaml.safe_dump(value, allow_unicode=True))
    try:
        read_study(path)
    except ConfigError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - either is right
