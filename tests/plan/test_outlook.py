"""What a dry run says of many points: memory, repeats, times and sums."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.leaves import Leaf, leaf
from pytest_llem.plan.assembly import Assembly
from pytest_llem.plan.columns import Looked, joules, seconds, table
from pytest_llem.plan.duplicates import all_differ, duplicates
from pytest_llem.plan.memory.facts import ModelFacts
from pytest_llem.plan.memory.fit import Room
from pytest_llem.plan.memory.fits import Fits
from pytest_llem.plan.memory.survey import leaves_by_path, survey
from pytest_llem.plan.outlook import Forecast
from pytest_llem.plan.planned import PlannedPoint
from pytest_llem.plan.schedule import Passes, schedule_of
from pytest_llem.plan.totals import Totals

MODEL = {
    "model_type": "llama",
    "num_hidden_layers": 4,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 4,
    "vocab_size": 1000,
    "torch_dtype": "float16",
}
AXES = st.fixed_dictionaries(
    {
        "batch_size": st.lists(st.integers(1, 500), min_size=1, max_size=4),
        "input_tokens": st.lists(st.integers(1, 5000), min_size=1, max_size=3),
        "dtype": st.lists(st.sampled_from(["auto", "float16", "float32"]), min_size=1, max_size=3),
        "device": st.lists(st.sampled_from(["auto", "cuda"]), min_size=1, max_size=2),
    }
)


def points(axes: dict[str, list[Any]]) -> list[PlannedPoint]:
    assembly = Assembly("bench/test_it.py::test_it", {})
    rows = []
    for path, values in axes.items():
        found = [leaf(path, value) for value in values]
        assert all(isinstance(one, Leaf) for one in found)
        rows.append([one for one in found if isinstance(one, Leaf)])
    return [
        PlannedPoint.of(assembly, str(number), {}, chosen)
        for number, chosen in enumerate(product(*rows))
    ]


def fits(total_bytes: int) -> Fits:
    room = Room("a card", total_bytes, 1)
    return Fits(lambda model, revision: ModelFacts(MODEL), lambda config: room)


@given(AXES, st.integers(800, 4000))
def test_a_survey_counts_what_looking_at_each_point_counts(
    axes: dict[str, list[Any]], mebibytes: int
) -> None:
    valid, tells = points(axes), fits(mebibytes << 20)
    found = survey(valid, leaves_by_path(valid), tells, 3)
    each = [tells.of(point.config) for point in valid if point.config is not None]
    assert dict(found.verdicts) == {
        verdict: sum(fit.verdict == verdict for fit in each)
        for verdict in {fit.verdict for fit in each}
    }
    most = max(fit.need.total_bytes for fit in each if fit.need)
    assert found.most is not None
    assert found.most.need is not None
    assert found.most.need.total_bytes >= most


@given(AXES)
def test_points_that_seem_to_differ_have_no_repeats(axes: dict[str, list[Any]]) -> None:
    found = points(axes)
    seen: set[tuple[str, str]] = set()
    repeated = 0
    for point in found:
        assert point.config is not None
        key = (point.identity, point.config.device)
        repeated += key in seen
        seen.add(key)
    assert len(duplicates(found)) == repeated
    assert not (all_differ(found) and repeated)


def test_different_texts_of_a_section_are_looked_at_one_by_one() -> None:
    found = points({"vllm.max_num_seqs": [1, 2]})  # which mean nothing to another engine
    assert not all_differ(found)
    assert len(duplicates(found)) == 1


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_is_no_wider_than_the_terminal_but_for_ids(width: int) -> None:
    found = points({"batch_size": [1, 8], "dtype": ["float16"]})
    tells = fits(8 << 30)
    rows = [Looked(one, "missing", tells.of(one.config)) for one in found if one.config]
    long = PlannedPoint.of(found[0].assembly, "x" * 300, {}, found[0].leaves)
    lines = table([*rows, Looked(long, "have", rows[0].fit)], width, "  ")
    assert [line for line in lines if len(line) > width] == [f"  {'x' * 300}"]
    assert ("weights" in lines[0]) == (width == 200)
    assert all("fits" in line for line in lines[1:] if "x" not in line)


def test_a_column_of_which_nothing_is_known_is_left_out() -> None:
    (point,) = points({"batch_size": [1]})
    assert table([Looked(point)], 200, "") == []
    known = table([Looked(point, "have", None, Forecast("model", "", 3.0, None, 1))], 200, "")
    assert known[0].split() == ["point", "baseline", "time", "GPU", "hours", "from"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "?"),
        (0.0, "0 s"),
        (4.25, "4.2 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (3725.0, "1 h 2 min"),
    ],
)
def test_times_are_said_as_people_say_them(value: float | None, said: str) -> None:
    assert seconds(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "?"), (12.0, "12 J"), (4200.0, "4.2 kJ"), (7.2e6, "2 kWh")]
)
def test_energies_are_said_as_people_say_them(value: float | None, said: str) -> None:
    assert joules(value) == said


def test_what_is_unknown_is_never_added_as_nothing() -> None:
    totals = Totals()
    totals.add(Forecast("unknown", "nobody knows"), 3)
    assert totals.lines([]) == ["in all: time ?, GPU hours ?, energy ?"]
    totals.add(Forecast("run", "run x", 30.0, 400.0, 2), 3)
    whole, told = totals.lines([])
    assert "time 1 min 30 s for 1 of 2 points, GPU hours 0.05 for 1 of 2 points" in whole
    assert "energy 1.2 kJ for 1 of 2 points" in whole
    assert told == "told from earlier runs of 1"


def test_a_schedule_has_all_windows_of_whole_passes() -> None:
    settings = {"windows": 5, "window_s": 1.0, "prefill_windows": 2, "idle_s": 2.0}
    config = ExperimentConfig.model_validate({"measurement": settings})
    found = schedule_of(config, Passes(0.4, 0.3), weights_bytes=3e9)
    assert found.start_s == pytest.approx(8 + 3)
    assert found.idle_s == 2
    assert found.active_s == pytest.approx(3 * 0.4 + 5 * 1.2 + 2 * 1.2)
    assert schedule_of(config, Passes(50.0)).active_s > 7 * 50


@given(st.floats(1e-6, 1e4), st.floats(0, 1))
def test_a_longer_pass_never_takes_less_time(whole_s: float, share: float) -> None:
    config = ExperimentConfig()
    one, other = (
        schedule_of(config, Passes(times * whole_s, times * share * whole_s)) for times in (1, 64)
    )
    assert other.wall_s >= one.wall_s * (1 - 1e-9)
    assert one.active_s >= 5 * config.measurement.window_s
