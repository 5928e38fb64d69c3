"""Columns, order and headings of the summary, as somebody asks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llem.baselines.metrics import METRICS
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.energy.measured import Figures, TotalFigures
from pytest_llem.errors import ConfigError
from pytest_llem.reports.arrangement import COLUMNS, Arrangement, arrangement_of
from pytest_llem.reports.terminal import SummaryRow, summary_lines
from pytest_llem.reports.text import display_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Make

NOTHING = dict.fromkeys(Figures.model_fields)
UNKNOWN = "\N{EN DASH}"


def asked(columns: str = "", sort: str = "", group_by: str = "") -> Arrangement:
    return arrangement_of(*([text] if text else [] for text in (columns, sort, group_by)))


def shown(rows: Sequence[SummaryRow], arrangement: Arrangement, width: int = 120) -> list[str]:
    lines = summary_lines(
        rows,
        width=width,
        colour=False,
        unicode=True,
        verbosity=0,
        arrangement=arrangement,
    )
    return lines[: lines.index("", 3)]


def names(rows: Sequence[SummaryRow], sort: str) -> list[str]:
    """Labels in the order in which they are shown."""
    return [line.split()[0] for line in shown(rows, asked(sort=sort))[4:]]


@pytest.fixture
def rows(make: Make) -> list[SummaryRow]:
    def row(batch: int, energy: float, spread: float, verdict: Any, **known: Any) -> SummaryRow:
        change = known.pop("change", 0.0)
        judged = make.judgement(verdict, change=change, interval=(change - 0.01, change + 0.01))
        taken = known.pop("wall_s", None)
        config = ExperimentConfig(batch_size=batch, dtype="float32" if batch < 9 else "auto")
        return make.token_row(
            f"b{batch}",
            energy,
            spread,
            [judged],
            result={"config": config, "wall_s": taken},
            **known,
        )

    return [
        row(8, 0.02, 0.0002, "pass", wall_s=40.0, ttft_s=0.03, power_w=211.0),
        row(16, 0.01, 0.0001, "regressed", change=0.04, wall_s=41.0, ttft_s=0.02),
        row(1, 0.05, 0.005, "inconclusive", wall_s=200.0),
        row(32, 0.04, 0.0004, "regressed", change=0.2, wall_s=39.0, power_w=300.0),
    ]


def test_what_matters_comes_first(rows: list[SummaryRow], make: Make) -> None:
    crashed = make.row("crash", measurements=[], result={"outcome": "crashed"})
    assert names([*rows, crashed], "") == ["b32", "b16", "crash", "b1", "b8"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("run", ["b8", "b16", "b1", "b32"]),
        ("-run", ["b32", "b1", "b16", "b8"]),
        ("name", ["b1", "b8", "b16", "b32"]),
        ("energy", ["b16", "b8", "b32", "b1"]),
        ("-energy", ["b1", "b32", "b8", "b16"]),
        ("-change", ["b32", "b16", "b8", "b1"]),
        ("-wall_s", ["b1", "b16", "b8", "b32"]),
        ("-uncertainty,name", ["b1", "b8", "b16", "b32"]),
        ("ttft_s", ["b16", "b8", "b1", "b32"]),
        ("-ttft_s", ["b8", "b16", "b1", "b32"]),
        ("verdict", None),
    ],
)
def test_the_order_is_the_one_asked_for_and_unknown_figures_are_last(
    rows: list[SummaryRow], sort: str, order: list[str] | None
) -> None:
    if order is None:
        with pytest.raises(ConfigError, match="'verdict' is neither a metric nor"):
            asked(sort=sort)
    else:
        assert names(rows, sort) == order


def test_what_fails_a_strict_run_is_ahead_of_what_does_not_fail_it(make: Make) -> None:
    judged = [make.judgement("inconclusive")]
    rows = [
        make.token_row("spoilt", 0.02, 0.001, valid=False),
        make.token_row("unsure", 0.02, 0.001, judged),
    ]
    usual = summary_lines(rows, width=100, colour=False, unicode=True, verbosity=0)
    strict = summary_lines(rows, width=100, colour=False, unicode=True, verbosity=0, strict=True)
    assert [line.split()[0] for line in usual[4:6]] == ["spoilt", "unsure"]
    assert [line.split()[0] for line in strict[4:6]] == ["unsure", "spoilt"]


def test_columns_are_those_asked_for_from_the_left(rows: list[SummaryRow]) -> None:
    head = shown(rows, asked("power_w,verdict,ttft_s"))
    assert head[0].split() == ["power", "TTFT"]
    assert head[1].split() == ["experiment", "W", "verdict", "ms"]
    assert head[-1].split() == ["b8", "211", "pass", "30.0"]
    assert head[-2].split() == ["b1", UNKNOWN, "inconclusive", UNKNOWN]


def test_columns_are_added_and_left_out(rows: list[SummaryRow]) -> None:
    assert asked("+ttft_s").columns == (*COLUMNS[:-2], "ttft_s", "change", "verdict")
    assert "phases" not in asked("-phases").columns
    with pytest.raises(ConfigError, match="either name the columns, or change the usual"):
        asked("energy,+ttft_s")
    energy, change = shown(rows, asked("+ttft_s"))[0], shown(rows, asked("-change,+ttft_s"))[0]
    assert "change from baseline" in energy
    assert change.split() == ["energy", "TTFT"]


def test_the_rightmost_column_leaves_first(rows: list[SummaryRow]) -> None:
    columns = asked("energy,ttft_s,power_w,duration_s")
    assert shown(rows, columns, 44)[0].split() == ["energy", "TTFT", "power"]
    assert all(display_width(line) <= 30 for line in shown(rows, columns, 30))


def test_an_uncertainty_stands_beside_its_figure_and_estimates_are_marked(make: Make) -> None:
    row = make.row(
        decode=make.phase(1.5, 0.25), power_w=12.0, method="estimated", latencies=None, ttft_s=0.1
    )
    last = shown([row], asked("decode.energy_j,power_w,ttft_s,latencies.ttft.p99_s"))[-1]
    assert last.split() == ["float32-1", "~1.50", "±", "0.25", "~12.0", "100", UNKNOWN]


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        ("test", ["bench/test_chat.py::test_chat", "  b32", "  b16", "  b1", "  b8"]),
        ("none", ["b32", "b16", "b1", "b8"]),
        ("dtype", ["dtype=auto", "  b32", "  b16", "dtype=float32", "  b1", "  b8"]),
        ("verdict", ["regressed", "  b32", "  b16", "inconclusive", "  b1", "pass", "  b8"]),
        ("vllm.max_num_seqs", [f"vllm.max_num_seqs={UNKNOWN}", "  b32", "  b16", "  b1", "  b8"]),
        (
            "dtype,file",
            [
                *("dtype=auto · bench/test_chat.py", "  b32", "  b16"),
                *("dtype=float32 · bench/test_chat.py", "  b1", "  b8"),
            ],
        ),
    ],
)
def test_headings_are_those_asked_for(
    rows: list[SummaryRow], group_by: str, expected: list[str]
) -> None:
    table = shown(rows, asked("energy", group_by=group_by))[3:]
    found = [line.partition(" 0")[0].rstrip() for line in table]
    firsts = [line.split("  ")[0] if line[:2] != "  " else line[:5].rstrip() for line in found]
    assert firsts == expected


def test_a_sum_over_scopes_is_no_estimate_though_the_first_meter_s_figure_is(make: Make) -> None:
    known = {"energy_j": 3.0, "energy_per_output_token_j": 0.3, "power_w": 9.0}
    total = TotalFigures(**{**NOTHING, **known}, scopes=("gpu", "package"), meters=("a", "b"))
    row = make.row(method="estimated", energy_j=1.0, power_w=2.0, total=total)
    last = shown([row], asked("energy_j,total.energy_j,power_w,total.power_w"))[-1]
    assert last.split()[1:] == ["~1.00", "3.00", "~2.00", "9.00"]


def test_under_other_headings_experiments_of_several_tests_say_which(
    rows: list[SummaryRow], make: Make
) -> None:
    other = make.token_row("b8", 0.01, result={"group": "bench/test_chat.py::test_other"})
    text = "\n".join(shown([*rows, other], asked(group_by="none")))
    assert "test_other[b8]" in text
    assert "test_chat[b8]" in text
    assert "bench/" not in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("enrgy", "", ""), r"--llem-columns: 'enrgy' is neither .* Did you mean 'energy'"),
        (("ttft_ms", "", ""), r"--llem-columns: 'ttft_ms' .* Did you mean 'ttft_s'"),
        (("", "energy,,name", ""), r"--llem-sort: a name is empty"),
        (("", "", "batchsize"), r"--llem-group-by: 'batchsize' .* Did you mean 'batch_size'"),
        (("", "", "vllm.max_num_seq"), r"--llem-group-by: 'vllm.max_num_seq'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    options: tuple[str, str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        asked(*options)


@given(
    columns=st.lists(st.sampled_from([*COLUMNS, *METRICS]), max_size=6, unique=True),
    sort=st.lists(st.sampled_from(["worst", "run", "name", "-energy", *METRICS]), max_size=3),
    group_by=st.lists(st.sampled_from(["test", "none", "model", "batch_size"]), max_size=2),
    energies=st.lists(
        st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6
    ),
    width=st.integers(70, 200),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_asked_for_every_experiment_is_there_once_and_fits(  # noqa: PLR0913, PLR0917 - one per input
    make: Make,
    columns: list[str],
    sort: list[str],
    group_by: list[str],
    energies: list[float | None],
    width: int,
) -> None:
    rows = [make.token_row(f"n{number}", energy) for number, energy in enumerate(energies)]
    arrangement = arrangement_of(columns, sort, group_by)
    lines = shown(rows, arrangement, width)
    assert all(display_width(line) <= width for line in lines)
    firsts = [line.split()[0] for line in lines[3:] if line.split()]
    assert sorted(one for one in firsts if one[0] == "n") == [f"n{n}" for n in range(len(rows))]


def test_the_slowest_and_the_least_certain_are_named(rows: list[SummaryRow]) -> None:
    def text(given: Sequence[SummaryRow]) -> str:
        found = summary_lines(given, width=100, colour=False, unicode=True, verbosity=0)
        return "\n".join(found)

    assert "slowest: b1 3 min 20 s (of 5 min 20 s in all)" in text(rows)
    assert "least certain: b1 ± 10.0 %" in text(rows)
    assert "slowest" not in text(rows[:3])
    alike = [
        replace(row, result=row.result.model_copy(update={"wall_s": 40.0 + n}))
        for n, row in enumerate(rows)
    ]
    assert "slowest" not in text(alike)
    unknown = [replace(row, result=row.result.model_copy(update={"wall_s": None})) for row in rows]
    assert "slowest" not in text(unknown)


def test_what_spoils_figures_is_said_with_who_mends_it(rows: list[SummaryRow]) -> None:
    def text(verbosity: int) -> str:
        lines = summary_lines(
            rows,
            width=200,
            colour=False,
            unicode=True,
            verbosity=verbosity,
            disturbances=["memory is swapped out (2.0 GiB)", "a GPU is hot (80 °C)"],
        )
        return "\n".join(lines)

    assert (
        "this machine spoils figures: memory is swapped out (2.0 GiB); a GPU is hot (80 °C). To"
        in text(0)
    )
    assert "llem doctor" in text(0)
    assert "spoils" not in text(-1)
