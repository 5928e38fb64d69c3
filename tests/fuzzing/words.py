"""What is said in single words: variables, assignments, gates, sizes, seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from fuzzing.places import folder
from fuzzing.target import Target
from fuzzing.values import PATHS, known, scalars, texts
from pytest_llem.baselines.rulebook import Rulebook, matches, parse_gate
from pytest_llem.baselines.rules import parse_rule
from pytest_llem.components.rules import read_rules
from pytest_llem.config.homes import read_homes
from pytest_llem.config.layers.standing import read_standing
from pytest_llem.config.layers.variables import RESERVED, variable_of
from pytest_llem.config.profiles.profile import Profile
from pytest_llem.isolation.memory import bytes_of
from pytest_llem.plan.bare import bare_experiment
from pytest_llem.plan.checking import problems_of_variables
from pytest_llem.plan.overrides import overrides_of
from pytest_llem.runs.ab.side import Side
from pytest_llem.runs.exporting import Export
from pytest_llem.runs.fitting import StatedDevice
from pytest_llem.runs.standing import completed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = [
    *map(variable_of, PATHS),
    *RESERVED,
    *("LLEM_", "LLEM__", "LLEM_X_PYTHON", "LLEM_VLLM_IMAGE", "LLEM_X__Y__Z", "LLEM_É"),
]
METRICS = (
    *("energy_per_output_token_j", "ttft_s", "power_w", "output_tokens_per_s", "energy_j"),
    *("decode.energy_j", "phases.decode.energy_j", "latency_p99_s", "quality.x", "", "*"),
    *("quality.accuracy", "beside.package.rapl.energy_j", "beside.rapl.power_w", "beside.x"),
)
TOLERANCES = (
    *("5%", "+20ms", "5%+2mJ", "5%,2mJ", "off", "higher", "lower,3%", ">= 3", "1e400%", "0", "٣%"),
    *(">=70%", "<=-3.2", ">=0.7x", "+1furlong"),
    *("100%", "1e-400J", "+", "%", "5%%", "5", "+5", "5 J", "1_0%"),
)
values = st.one_of(texts, scalars.map(str), st.sampled_from(('{"a": 1}', "[1, 2]", "null", "NaN")))


def _variables(environ: Mapping[str, str]) -> None:
    problems_of_variables(environ)
    read_homes(folder("nowhere"), environ, ("vllm",))
    read_rules(folder("nowhere"), environ)
    read_standing(folder("nowhere"), environ, tuple)


def _assignments(asked: tuple[Sequence[str], str | None, Sequence[str]]) -> None:
    overrides = overrides_of(*asked)
    bare_experiment(overrides, read_standing(folder("nowhere"), {}, tuple).layers)


def _sides(texts_: Sequence[str]) -> None:
    Side.asked("a", texts_, "--a")


def _gate(text: str) -> None:
    for one in (text, *completed([text], Profile(tolerance="5%"))):
        gate = parse_gate(one)
        gate.applies_to("bench/test_it.py::test_it[a]")
        Rulebook([one], [one]).rules("bench/test_it.py::test_it[a]", [one])
        rule = parse_rule(one)
        str(rule)


def _pattern(said: tuple[str, str]) -> None:
    matches(*said)


def _export(text: str) -> None:
    Export.asked(text, folder("nowhere"))


def _stated(text: str) -> None:
    StatedDevice.of(text)


def _size(text: str) -> None:
    bytes_of(text)


def _joined(*parts: str) -> str:
    return "".join(parts)


_fields = st.one_of(known, texts)
_assignment = st.one_of(
    st.builds(_joined, _fields, st.sampled_from(("=", "", "==", " = ")), values), texts
)
_backend = st.one_of(st.sampled_from(("vllm", "tensorrt-llm", "a,b", ",", "openai")), texts)
_sizes = st.one_of(
    st.builds(
        _joined,
        values,
        st.sampled_from(("", "GiB", "k", "TB", ":", "x")),
        st.sampled_from(("", "B")),
    ),
    texts,
)
TARGETS = (
    Target(
        "variables",
        _variables,
        st.dictionaries(
            st.one_of(known.map(variable_of), st.sampled_from(NAMES), texts.map("LLEM_".__add__)),
            values,
            max_size=4,
        ),
    ),
    Target(
        "assignments",
        _assignments,
        st.tuples(
            st.lists(_backend, max_size=2),
            st.one_of(st.none(), texts),
            st.lists(_assignment, max_size=4),
        ),
    ),
    Target("sides", _sides, st.lists(_assignment, max_size=3)),
    Target(
        "gates",
        _gate,
        st.one_of(
            st.builds(
                _joined,
                st.one_of(st.sampled_from(METRICS), texts),
                st.sampled_from((":", "")),
                st.one_of(st.sampled_from(TOLERANCES), values),
                st.sampled_from(("", "@*", "@", "@[a]", "@bench/*")),
            ),
            texts,
        ),
    ),
    Target("patterns", _pattern, st.tuples(texts, texts)),
    Target("sizes", _size, _sizes),
    Target("stated-devices", _stated, _sizes),
    Target("exports", _export, st.one_of(texts, st.builds(_joined, st.just("csv:"), texts))),
)
