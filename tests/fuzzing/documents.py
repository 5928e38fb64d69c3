"""Files of configuration: YAML, studies, profiles, ``pyproject.toml``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import strategies as st

from fuzzing.places import folder, written
from fuzzing.target import Target
from fuzzing.values import as_toml, axes, fields, keys, scalars, texts, trees
from pytest_llem.baselines.rulebook import Rulebook
from pytest_llem.components.rules import read_rules
from pytest_llem.config.gates import baseline_table_in, gates_in
from pytest_llem.config.homes import read_homes
from pytest_llem.config.layers.standing import read_standing
from pytest_llem.config.study_file import read_study
from pytest_llem.plan.checking import problems_in
from pytest_llem.plan.overrides import Overrides
from pytest_llem.plan.stream import StudyPoints, tally
from pytest_llem.plan.tally_lines import tally_lines
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from pathlib import Path

MOST = 500
"""Points of a study that are made."""
YAML = (
    b"batch_size: 8\nbackend: vllm\nvllm: {max_num_seqs: 64}\n",
    b"a: &a [1, 2]\nb: *a\n<<: {seed: 0x1f}\nextra: !!str 1\nprompts: |\n  one\n  two\n",
    b"profile: h100-sxm\nmeasurement:\n  windows: 1e3\n  window_s: .nan\n",
)
STUDY = (
    (
        b"name: q\nbase: {model: builtin/tiny}\nsweep:\n  batch_size: [1, 8]\n  vllm.max_num_seqs: [4]\n"
        b"exclude: [{batch_size: [1], dtype: auto}]\nrepeats: 2\norder: {shuffle: 7}\n"
    ),
    (
        b"experiments:\n- {name: a, batch_size: 1}\n- seed: 2\ngates: {ttft_s: +20ms}\n"
        b"sweep:\n  pair:\n  - {input_tokens: 1, output_tokens: 2}\n  - {name: b, seed: 3}\n"
    ),
)
TOML = (
    (
        b'[tool.llem]\nbatch_size = 4\nvllm.max_num_seqs = 3\n[tool.llem.gates]\nttft_s = "5%"\n'
        b'[tool.llem.gates.experiments."bench/*"]\n"decode.energy_j" = "+1J"\n'
    ),
    (
        b'[tool.llem.engines.vllm]\npython = "x/bin/python"\n[tool.llem.container]\nshm_size = "8g"\n'
        b'[tool.llem.baselines]\nsessions = 9\n[tool.llem.components]\nallow = ["*"]\n'
    ),
)
PROFILE = (
    (
        b'title = "x"\ndevices = ["NVIDIA *"]\ntolerance = "5%"\n[measurement]\nwindow_s = 2.0\n'
        b'[floor]\nflop_per_s = {bfloat16 = 1e15}\n[sources]\ntitle = "me"\n'
    ),
)


def _yaml(content: bytes) -> None:
    path = written("yaml", "llem.yaml", content)
    problems_in(path)
    _stand(path.parent)


def _stand(project: Path) -> None:
    home = {"HOME": str(folder("home"))}
    read_standing(project, home, lambda: ("NVIDIA H100 80GB HBM3",))


def _study(content: bytes) -> None:
    path = written("study", "x.llem.yaml", content)
    problems_in(path)
    points = StudyPoints(read_study(path), path, read_standing_nowhere(), Overrides(), _any_engine)
    counted = tally(islice(points, MOST))
    tally_lines(points.group, points.axes(), counted, 80)


def read_standing_nowhere() -> Any:
    """The layers where no file says anything."""
    return read_standing(folder("nowhere"), {}, tuple).layers


def _any_engine(_: str) -> None:
    return None


def _pyproject(content: bytes) -> None:
    path = written("pyproject", "pyproject.toml", content)
    problems_in(path)
    project = path.parent
    read_homes(project, {}, ("vllm",))
    said = read_llem_table(project)
    Rulebook(gates_in(said)).rules("bench/test_it.py::test_it[a]")
    baseline_table_in(said)
    read_rules(project, {})
    _stand(project)


def _profile(content: bytes) -> None:
    problems_in(written("profile", "mine.toml", content))


def _dumped(value: Any) -> bytes:
    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
    return text.encode(errors="replace")


_lists = st.lists(st.one_of(fields(), scalars), max_size=3)
_study_values = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.just("study"), scalars),
        "base": st.one_of(fields(), scalars),
        "sweep": st.one_of(axes(), st.dictionaries(keys, _lists, max_size=2), scalars),
        "exclude": st.one_of(_lists, scalars),
        "experiments": st.one_of(_lists, scalars),
        "repeats": scalars,
        "order": st.one_of(st.dictionaries(st.just("shuffle"), scalars), scalars),
        "gates": st.one_of(st.dictionaries(texts, scalars, max_size=2), scalars),
    },
)
_any_table = st.one_of(trees(texts), st.dictionaries(texts, trees(texts), max_size=3))
_tables = st.fixed_dictionaries(
    {},
    optional={
        "gates": st.dictionaries(
            st.one_of(st.sampled_from(("ttft_s", "energy_j", "experiments")), texts),
            st.one_of(_any_table, st.sampled_from(("5%", "+1ms", "off", "higher"))),
            max_size=3,
        ),
        "engines": st.dictionaries(
            st.sampled_from(("vllm", "tensorrt-llm", "x")),
            st.one_of(
                st.dictionaries(
                    st.sampled_from(("python", "image", "mounts", "shm_size", "network")),
                    trees(texts),
                    max_size=3,
                ),
                scalars,
            ),
            max_size=2,
        ),
        "container": _any_table,
        "baselines": st.one_of(
            st.dictionaries(st.sampled_from(("sessions", "anchors", "dir")), scalars, max_size=2),
            scalars,
        ),
        "components": st.one_of(
            st.dictionaries(st.sampled_from(("allow", "deny")), trees(texts), max_size=2), scalars
        ),
        "profile": scalars,
    },
)
_profile_values = st.fixed_dictionaries(
    {},
    optional={
        "devices": trees(texts),
        "tolerance": scalars,
        "refresh_period_s": scalars,
        "power_limit_w": scalars,
        "measurement": fields(),
        "floor": st.dictionaries(
            st.sampled_from(("bandwidth_bytes_per_s", "flop_per_s", "on_chip_bytes")),
            trees(texts),
            max_size=3,
        ),
        "sources": _any_table,
    },
)

TARGETS = (
    Target("yaml", _yaml, seeds=YAML),
    Target("yaml-values", lambda value: _yaml(_dumped(value)), fields()),
    Target("study", _study, seeds=STUDY),
    Target("study-values", lambda value: _study(_dumped(value)), _study_values),
    Target("pyproject", _pyproject, seeds=TOML),
    Target(
        "pyproject-values",
        lambda value: _pyproject(as_toml({"tool": {"llem": value[0] | value[1]}}).encode()),
        st.tuples(fields(), _tables),
    ),
    Target("profile", _profile, seeds=PROFILE),
    Target("profile-values", lambda value: _profile(as_toml(value).encode()), _profile_values),
)
