from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llem.baselines.verdict import Verdict
from pytest_llem.energy.measured import Floor, FloorFigures
from pytest_llem.reports.rows import SummaryRow
from pytest_llem.reports.terminal import summary_lines
from pytest_llem.reports.text import display_width
from pytest_llem.results.schema import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from conftest import Make
    from pytest_llem.devices.meter import Method

ANSI = re.compile(r"\x1b\[[\d;]*m")


def shown(rows: Sequence[SummaryRow], width: int = 80, **options: Any) -> str:
    defaults = {"colour": False, "unicode": True, "verbosity": 0}
    return "\n".join(summary_lines(rows, width=width, **{**defaults, **options}))


def table(rows: Sequence[SummaryRow], width: int = 80, **options: Any) -> str:
    """The part above the blank line."""
    return shown(rows, width, **options).partition("\n\n")[0]


def notes(rows: Sequence[SummaryRow], width: int = 80, **options: Any) -> str:
    """The part below it."""
    return shown(rows, width, **options).partition("\n\n")[2]


def chat_rows(make: Make, method: Method = "counter") -> list[SummaryRow]:
    def row(label: str, energy: Sequence[float], judgement: Any, **known: Any) -> SummaryRow:
        return make.token_row(label, *energy, judgements=[judgement], method=method, **known)

    return [
        row(
            "float32-1",
            (0.02513, 0.00031),
            make.judgement("pass", change=0.003, interval=(-0.012, 0.019)),
            output_tokens_per_s=412.3,
            prefill=make.phase(0.0512, 0.0026),
            decode=make.phase(1.601, 0.032),
        ),
        row(
            "float32-8",
            (0.00602, 0.00011),
            make.judgement("regressed", change=0.123, interval=(0.098, 0.149)),
            output_tokens_per_s=2412.0,
            prefill=make.phase(0.081, 0.0041),
            decode=make.phase(3.21, 0.064),
        ),
        row(
            "bfloat16-1",
            (0.0391, 0.0021),
            make.judgement("inconclusive", change=0.04, interval=(-0.01, 0.09)),
            output_tokens_per_s=None,
        ),
    ]


AT_80 = """
                       energy    output  change from baseline
experiment    mJ/output token  tokens/s          % [interval]  verdict
───────────────────────────────────────────────────────────────────────────
bench/test_chat.py::test_chat
  float32-8       6.02 ± 0.11      2412   +12.3 [+9.8, +14.9]  regressed
  bfloat16-1     39.1  ± 2.1          –    +4.0 [−1.0, +9.0]   inconclusive
  float32-1      25.13 ± 0.31       412    +0.3 [−1.2, +1.9]   pass

regressed     bench/test_chat.py::test_chat[float32-8]:
    energy_per_output_token_j: it is regressed
inconclusive  bench/test_chat.py::test_chat[bfloat16-1]:
    energy_per_output_token_j: it is inconclusive

left out at 80 columns: prefill, decode (a wider terminal shows them)
3 experiments: 1 regressed, 1 inconclusive, 1 pass
"""  # noqa: RUF001 -- the signs themselves

ESTIMATED_AT_120_IN_ASCII = """
                  ~ estimated    output       prefill       decode  change from baseline
experiment    mJ/output token  tokens/s       mJ/pass      mJ/pass          % [interval]  verdict
------------------------------------------------------------------------------------------------------
bench/test_chat.py::test_chat
  float32-8     ~6.02 +- 0.11      2412  ~81.0 +- 4.1  ~3210 +- 64  ~+12.3 [+9.8, +14.9]  regressed
  bfloat16-1   ~39.1  +- 2.1          -    -               -         ~+4.0 [-1.0, +9.0]   inconclusive
  float32-1    ~25.13 +- 0.31       412  ~51.2 +- 2.6  ~1601 +- 32   ~+0.3 [-1.2, +1.9]   pass

regressed     bench/test_chat.py::test_chat[float32-8]: energy_per_output_token_j (~ estimated): it is regressed
inconclusive  bench/test_chat.py::test_chat[bfloat16-1]: energy_per_output_token_j (~ estimated): it is inconclusive

~ ESTIMATED, not measured: the energy of 3 experiments, by the estimate meter, scope process, 10 W per busy core.
  Compare it only with estimates made the same way.
3 experiments (~ energy estimated): 1 regressed, 1 inconclusive, 1 pass
"""

AT_200 = """
                       energy    output     prefill     decode  change from baseline
experiment    mJ/output token  tokens/s     mJ/pass    mJ/pass          % [interval]  verdict
──────────────────────────────────────────────────────────────────────────────────────────────────
bench/test_chat.py::test_chat
  float32-8       6.02 ± 0.11      2412  81.0 ± 4.1  3210 ± 64   +12.3 [+9.8, +14.9]  regressed
  bfloat16-1     39.1  ± 2.1          –   –             –         +4.0 [−1.0, +9.0]   inconclusive
  float32-1      25.13 ± 0.31       412  51.2 ± 2.6  1601 ± 32    +0.3 [−1.2, +1.9]   pass
"""  # noqa: RUF001 -- the signs themselves


def test_at_80_columns_the_verdict_and_why_come_before_the_phases(make: Make) -> None:
    assert shown(chat_rows(make)) == AT_80.strip("\n")


def test_at_120_columns_every_figure_is_there_and_estimates_are_marked(make: Make) -> None:
    text = shown(chat_rows(make, "estimated"), 120, unicode=False)
    assert text == ESTIMATED_AT_120_IN_ASCII.strip("\n")


def test_at_200_columns_nothing_is_left_out(make: Make) -> None:
    assert table(chat_rows(make), 200) == AT_200.strip("\n")


def test_columns_leave_a_narrow_terminal_in_the_stated_order(make: Make) -> None:
    left_out = []
    for width in range(120, 20, -1):
        text = " ".join(notes(chat_rows(make), width).split())
        found = re.search(r"left out at \d+ columns: (.*?) \(a wider", text)
        left_out.append(found[1] if found else "")
    assert list(dict.fromkeys(left_out)) == [
        "",
        "prefill",
        "prefill, decode",
        "prefill, decode, tokens/s",
        "prefill, decode, tokens/s, change from baseline",
        "prefill, decode, tokens/s, change from baseline, energy",
    ]


def test_uncertainties_of_phases_go_before_any_column_does(make: Make) -> None:
    rows = chat_rows(make)
    widest = max(width for width in range(120) if "3210 ± 64" not in table(rows, width))
    assert "3210" in table(rows, widest)
    assert "left out" not in notes(rows, widest)


def test_the_uncertainty_of_energy_is_kept_while_a_speed_is_shown(make: Make) -> None:
    for width in range(34, 120):
        shows_uncertainty = "25.13 ± 0.31" in table(chat_rows(make), width)
        assert shows_uncertainty or "tokens/s" not in table(chat_rows(make), width)


def test_long_labels_leave_room_for_the_figures(make: Make) -> None:
    judgement = make.judgement("pass", change=0.003, interval=(-0.012, 0.019))
    label = "dtype=float32-vllm.max_num_seqs=64-input_tokens=8192-batch_size={}"
    rows = [
        make.token_row(label.format(size), 0.02513, 0.00031, [judgement], output_tokens_per_s=412.3)
        for size in (1, 8)
    ]
    assert table(rows).splitlines()[-2:] == [
        "  …batch_size=1     25.13 ± 0.31       412     +0.3 [−1.2, +1.9]  pass",  # noqa: RUF001 -- the sign itself
        "  …batch_size=8     25.13 ± 0.31       412     +0.3 [−1.2, +1.9]  pass",  # noqa: RUF001 -- the sign itself
    ]


def test_an_estimate_is_unmistakable_wherever_a_figure_is_shown(make: Make) -> None:
    rows = chat_rows(make, "estimated")
    for unicode in (True, False):
        for width in (80, 120, 200):
            text = shown(rows, width, unicode=unicode)
            for figure in re.findall(r"\S*(?:25\.13|6\.02|39\.1|1601|3210|\+12\.3)\b", text):
                assert figure.startswith("~")
            assert "~ estimated" in table(rows, width, unicode=unicode)
            assert "~ ESTIMATED, not measured" in text
            assert "(~ energy estimated)" in text.splitlines()[-1]
    assert "(~ estimated)" in notes(rows)
    assert "(~ energy estimated)" in shown(rows, verbosity=-1)
    assert "estimated" not in shown(chat_rows(make))


def test_estimates_are_marked_one_by_one_where_only_some_are(make: Make) -> None:
    rows = [
        make.token_row("a", 0.02, 0.001),
        make.token_row("b", 0.03, 0.001, method="estimated"),
    ]
    lines = table(rows).splitlines()
    assert "energy (~ estimated)" in lines[0]
    assert lines[-2].split() == ["a", "20.0", "±", "1.0"]
    assert lines[-1].split() == ["b", "~30.0", "±", "1.0"]


def test_times_and_rates_are_never_marked_as_estimates(make: Make) -> None:
    judgement = make.judgement("regressed", metric="ttft_s", change=0.2, interval=(0.1, 0.3))
    row = make.token_row("a", 0.02, 0.001, [judgement], method="estimated", output_tokens_per_s=400)
    text = table([row])
    assert " 400" in text
    assert " +20 [+10, +30]" in text
    assert "regressed ttft_s" in text


def test_unknown_figures_are_dashes_and_never_zeros(make: Make) -> None:
    rows = [
        make.token_row("known", 0.02, None, output_tokens_per_s=400.0),
        make.token_row("unknown", None),
    ]
    known, unknown = table(rows).splitlines()[-2:]
    assert known.split() == ["known", "20.0", "±", "–", "400"]  # noqa: RUF001 -- the sign itself
    assert unknown.split() == ["unknown", "–", "–"]  # noqa: RUF001 -- the sign itself


def test_columns_that_nothing_is_known_about_are_not_there(make: Make) -> None:
    assert table([make.token_row("a", 0.02, 0.001)]).splitlines() == [
        "                     energy",
        "experiment  mJ/output token",
        "───────────────────────────",
        "bench/test_chat.py::test_chat",
        "  a              20.0 ± 1.0",
    ]


def test_a_callable_shows_energy_per_request_or_per_pass(make: Make) -> None:
    per_request = make.row(
        "a", energy_per_request_j=0.5, energy_j=4.0, energy_uncertainty_j=0.08, requests=8
    )
    per_pass = make.row("b", energy_j=4.0, energy_uncertainty_j=0.08)
    assert "mJ/request" in table([per_request])
    assert "500 ± 10" in table([per_request])
    assert "J/pass" in table([per_pass])
    assert "4.000 ± 0.080" in table([per_pass])


def test_where_denominators_differ_each_row_names_its_own(make: Make) -> None:
    rows = [
        make.row(
            "chat",
            energy_per_output_token_j=0.02,
            energy_per_output_token_uncertainty_j=0.001,
            energy_j=4.0,
        ),
        make.row("tokenize", energy_j=0.5, energy_uncertainty_j=0.01),
    ]
    text = table(rows)
    assert "mJ/output token" in text
    assert re.search(r"chat +20\.0 ± 1\.0$", text, re.MULTILINE)
    assert re.search(r"tokenize +500 ± 10 per pass$", text, re.MULTILINE)


def test_prefill_and_decode_share_their_prefix(make: Make) -> None:
    row = make.token_row("a", 0.02, 0.001, prefill=make.phase(0.02), decode=make.phase(1500.0))
    assert table([row], 120).splitlines()[1].split()[-2:] == ["mJ/pass", "mJ/pass"]


def test_rows_stand_under_their_test_in_the_order_they_ran(make: Make) -> None:
    rows = [
        make.token_row(label, 0.02, 0.001, result={"group": f"bench/test_{group}.py::test"})
        for group, label in [("a", "2"), ("b", "1"), ("a", "1"), ("c", "")]
    ]
    body = [line.split()[0] for line in table(rows).splitlines()[3:]]
    assert body == [
        "bench/test_a.py::test", "2", "1", "bench/test_b.py::test", "1", "bench/test_c.py::test",
    ]  # fmt: skip


def test_repeats_are_told_apart(make: Make) -> None:
    rows = [make.token_row("a", 0.02, 0.001, result={"repeat": repeat}) for repeat in (0, 1)]
    assert "a (repeat 1) " in table(rows)


def test_how_many_processes_there_are_is_said_once_or_where_they_differ(make: Make) -> None:
    def rows(*counts: tuple[int, int]) -> list[SummaryRow]:
        made = [make.token_row(f"n{number}", 0.02, 0.001) for number in range(len(counts))]
        return [
            replace(row, processes=(row.result,) * ran, planned=planned)
            for row, (ran, planned) in zip(made, counts, strict=True)
        ]

    alike = shown(rows((3, 3), (3, 3)))
    assert "processes)" not in alike
    assert alike.splitlines()[-1] == "2 experiments, 3 processes each: 2 measured"
    assert table(rows((3, 3), (1, 3))).count("processes)") == 1
    assert "n1 (1 of 3 processes)" in table(rows((3, 3), (1, 3)))
    differing = shown(rows((3, 3), (2, 2)))
    assert "n0 (3 processes)" in differing
    assert "n1 (2 processes)" in differing
    assert "processes each" not in differing


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        ("failed", "failed"),
        ("error", "error"),
        ("crashed", "crashed"),
        ("timed_out", "timed out"),
        ("skipped", "skipped"),
    ],
)
def test_what_broke_says_so_instead_of_a_verdict(make: Make, outcome: Outcome, word: str) -> None:
    result = {"outcome": outcome, "message": "\nkilled by SIGSEGV\nmore"}
    row = make.row("a", measurements=[], result=result)
    assert re.search(rf"^  a .*{word}$", table([row]), re.MULTILINE)
    told = f"{word:<14}bench/test_chat.py::test_chat[a]: killed by SIGSEGV ...\n"
    assert (told in notes([row])) is (outcome != "skipped")
    assert shown([row]).splitlines()[-1] == f"1 experiment: 1 {word}"


def test_an_invalid_measurement_says_why_and_is_no_pass(make: Make) -> None:
    windows = (make.window(), make.window(1, valid=False, warnings=("the power limit changed",)))
    row = make.token_row("a", 0.02, 0.001, [make.judgement("pass")], valid=False, windows=windows)
    assert table([row]).splitlines()[-1].endswith("invalid")
    told = "invalid       bench/test_chat.py::test_chat[a]: the power limit changed\n"
    assert told in notes([row])


def test_a_regression_outranks_an_invalid_measurement(make: Make) -> None:
    row = make.token_row("a", 0.02, 0.001, [make.judgement("regressed")], valid=False)
    assert table([row]).splitlines()[-1].endswith("regressed")


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["pass", "regressed"], "regressed"),
        (["pass", "improved"], "improved"),
        (["improved", "new"], "new"),
        (["incomparable", "inconclusive"], "inconclusive"),
    ],
)
def test_the_worst_verdict_stands_for_all_metrics(
    make: Make, verdicts: list[Verdict], word: str
) -> None:
    judgements = [make.judgement(verdict) for verdict in verdicts]
    assert table([make.token_row("a", 0.02, 0.001, judgements)]).endswith(word)


def test_a_verdict_on_another_measurement_names_it(make: Make) -> None:
    judgements = [make.judgement("pass"), make.judgement("regressed", measurement="tokenize")]
    row = make.token_row("a", 0.02, 0.001, judgements)
    assert table([row], 120).endswith("regressed tokenize: energy_per_output_token_j")


def test_without_room_a_verdict_on_another_figure_has_a_star_and_the_figure_below(
    make: Make,
) -> None:
    judged = make.judgement("inconclusive", metric="quality.accuracy", change=-0.1)
    rows = [
        make.token_row("a", 0.02, 0.001, [judged], output_tokens_per_s=10.0),
        make.token_row("b", 0.02, 0.001, [make.judgement("inconclusive", change=0.2)]),
    ]
    wide, narrow = shown(rows, 120), shown(rows, 76)
    assert "inconclusive quality.accuracy\n" in wide
    assert "*" not in wide
    assert re.search(r"  a .* inconclusive\*$", narrow, re.MULTILINE)
    assert re.search(r"  b .* inconclusive$", narrow, re.MULTILINE)
    assert "\n* verdict and change are of another figure: quality.accuracy\n" in narrow


def test_what_is_not_gated_is_compared_and_judged_by_nobody(make: Make) -> None:
    judgement = make.judgement("regressed", gated=False, change=0.5, interval=(0.4, 0.6))
    row = make.token_row("a", 0.02, 0.001, [judgement])
    assert table([row]).splitlines()[-1].split()[-4:] == ["[+40,", "+60]", "not", "gated"]
    assert "it is regressed" not in notes([row])
    assert re.match(r"not gated .* it is regressed", notes([row], 120, verbosity=1))
    assert shown([row], verbosity=-1) == "1 experiment: 1 not gated"


def test_equal_warnings_are_said_once_and_counted(make: Make) -> None:
    rows = [
        make.token_row(str(index), 0.02, 0.001, warnings=(f"no convergence in {index}.5 s",))
        for index in range(5)
    ]
    assert notes(rows, 200).splitlines()[0] == (
        "warning       5 experiments (bench/test_chat.py::test_chat[0], "
        "bench/test_chat.py::test_chat[1], bench/test_chat.py::test_chat[2], …): "
        "no convergence in 0.5 s (the first's numbers)"
    )


def test_many_notes_of_a_kind_are_cut_unless_asked_for(make: Make) -> None:
    rows = [
        make.token_row(str(i), 0.02, 0.001, [make.judgement("inconclusive", explanation=f"<{i}>")])
        for i in range(30)
    ]
    assert "<2>" in notes(rows)
    assert "<3>" not in notes(rows)
    assert "and 27 more of these (-v shows all)" in notes(rows)
    assert "<29>" in notes(rows, verbosity=1)


def test_that_what_broke_was_not_compared_goes_without_saying(make: Make) -> None:
    judged = [make.judgement("incomparable", explanation="unpaired")]
    row = make.token_row("a", 0.02, 0.001, judged, result={"outcome": "failed", "message": "why"})
    assert "failed        bench/test_chat.py::test_chat[a]: why" in notes([row])
    assert "unpaired" not in notes([row])
    assert "unpaired" in notes([row], verbosity=1)


def test_regressions_are_never_cut(make: Make) -> None:
    rows = [make.token_row(str(i), 0.02, 0.001, [make.judgement("regressed")]) for i in range(30)]
    assert all(f"[{i}]" in notes(rows) for i in range(30))


def test_what_to_do_about_improvements_and_missing_baselines_is_said_once(make: Make) -> None:
    rows = [
        make.token_row(f"{verdict}{i}", 0.02, 0.001, [make.judgement(verdict)])
        for verdict in ("improved", "new")
        for i in range(3)
    ]
    assert notes(rows).count("--llem-update-baselines") == 2


def test_quiet_shows_failures_and_one_line(make: Make) -> None:
    assert shown(chat_rows(make), verbosity=-1).splitlines() == [
        "regressed     bench/test_chat.py::test_chat[float32-8]:",
        "    energy_per_output_token_j: it is regressed",
        "3 experiments: 1 regressed, 1 inconclusive, 1 pass",
    ]
    assert shown(chat_rows(make)[:1], verbosity=-1) == "1 experiment: 1 pass"


def test_under_strict_what_tells_nothing_is_a_failure(make: Make) -> None:
    rows = chat_rows(make)
    assert "it is inconclusive" not in shown(rows, verbosity=-1)
    assert "it is inconclusive" in shown(rows, verbosity=-1, strict=True)
    assert shown(rows, strict=True).count("it is inconclusive") == 1


def test_verbose_explains_every_verdict_and_shows_every_measurement(make: Make) -> None:
    further = make.measured(name="tokenize", energy_j=1.25, energy_uncertainty_j=0.02)
    headline = make.measured(energy_per_output_token_j=0.02)
    judged = [make.judgement("pass"), make.judgement("new", measurement="tokenize")]
    row = make.row("a", judged, measurements=[headline, further])
    assert "1 further measurement shown with -v" in notes([row])
    assert "it is pass" not in notes([row])
    assert "tokenize" not in table([row], 120).replace("new tokenize", "")
    assert re.search(
        r"^    tokenize +1250 ± 20 per pass +new", table([row], 120, verbosity=1), re.MULTILINE
    )
    assert "it is pass" in notes([row], 120, verbosity=1)
    assert "further measurement" not in notes([row], verbosity=1)


WINDOWS = """
bench/test_chat.py::test_chat[a], workload (~ estimated)
             duration  passes            energy  per output token  power  at start
  window            s                        ~J               ~mJ     ~W        °C  remarks
───────────────────────────────────────────────────────────────────────────────────────────────────────────
  whole 1       1.00        3  ~1.304  ± 0.012              ~20.4  ~13.0      41.0  ok
  whole 2       1.02        3  ~1.3140 ± 0.0098             ~20.5  ~12.9       –    throttled: sw_power_cap
  prefill 1     0.500       3   –                             –      –         –    invalid, 1 warning
  prefill 1: a refresh was missed
  phases: measured. prefill-only windows
  left out at 120 columns: output tokens
"""  # noqa: RUF001 -- the signs themselves


def test_very_verbose_shows_every_window(make: Make) -> None:
    windows = (
        make.window(
            energy_j=1.304,
            energy_uncertainty_j=0.012,
            power_w=13.0,
            temperature_c=41.0,
            output_tokens=64,
        ),
        make.window(
            1,
            duration_s=1.02,
            energy_j=1.314,
            energy_uncertainty_j=0.0098,
            power_w=12.9,
            throttle_reasons=("sw_power_cap",),
            output_tokens=64,
        ),
        make.window(
            phase="prefill", duration_s=0.5, valid=False, warnings=("a refresh was missed",)
        ),
    )
    row = make.token_row("a", 0.02, 0.001, method="estimated", windows=windows)
    text = shown([row], 120, verbosity=2)
    assert "window" not in shown([row], 120, verbosity=1)
    assert WINDOWS.strip("\n") in text


def test_colours_change_nothing_but_colours(make: Make) -> None:
    for verbosity in (-1, 0, 2):
        plain = shown(chat_rows(make), verbosity=verbosity)
        coloured = shown(chat_rows(make), verbosity=verbosity, colour=True)
        assert "\x1b" not in plain
        assert "\x1b[31;1mregressed\x1b[0m" in coloured
        assert ANSI.sub("", coloured) == plain


def test_no_rows_no_lines() -> None:
    assert summary_lines([], width=80, colour=False, unicode=True, verbosity=2) == []


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
any_number = st.none() | st.floats()
label_text = st.text(max_size=40) | st.sampled_from(
    ["语言模型-1", "a\x1b[31mb", "x" * 300, "e\u0301"]
)


@st.composite
def rows_of_anything(draw: st.DrawFn, make: Make) -> list[SummaryRow]:
    def figures() -> dict[str, Any]:
        names = (
            "energy_per_output_token_j", "energy_per_output_token_uncertainty_j", "energy_j",
            "energy_uncertainty_j", "energy_per_request_j", "output_tokens_per_s",
        )  # fmt: skip
        return {name: draw(numbers) for name in names}

    def row() -> SummaryRow:
        measurements = [
            make.measured(
                name=draw(label_text),
                method=draw(st.sampled_from(["counter", "estimated"])),
                prefill=make.phase(draw(numbers), draw(numbers)),
                decode=make.phase(draw(numbers), draw(numbers)),
                windows=(
                    make.window(energy_j=draw(numbers), energy_uncertainty_j=draw(numbers)),
                    make.window(1, valid=False, output_tokens=0, power_w=draw(numbers)),
                ),
                warnings=(draw(label_text),),
                valid=draw(st.booleans()),
                requests=draw(st.none() | st.integers(0, 10**30)),
                **figures(),
            )
            for _ in range(draw(st.integers(0, 2)))
        ]
        judgements = [
            make.judgement(
                draw(st.sampled_from(get_args(Verdict))),
                measurement=measured.name,
                metric=draw(st.sampled_from(["energy_j", "ttft_s", ""])),
                change=draw(any_number),
                interval=draw(st.none() | st.tuples(st.floats(), st.floats())),
                explanation=draw(label_text),
                gated=draw(st.booleans()),
            )
            for measured in measurements
        ]
        result = {
            "outcome": draw(st.sampled_from(get_args(Outcome))),
            "message": draw(st.none() | label_text),
            "group": draw(label_text),
        }
        return make.row(draw(label_text), judgements, measurements=measurements, result=result)

    return [row() for _ in range(draw(st.integers(0, 4)))]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
def test_whatever_was_measured_is_shown_and_fits(make: Make, data: st.DataObject) -> None:
    rows = data.draw(rows_of_anything(make))
    width = data.draw(st.integers(1, 220))
    unicode, colour, strict = (data.draw(st.booleans()) for _ in range(3))
    verbosity = data.draw(st.integers(-2, 3))
    lines = summary_lines(
        rows, width=width, colour=colour, unicode=unicode, verbosity=verbosity, strict=strict
    )
    for line in lines:
        plain = ANSI.sub("", line)
        assert display_width(plain) <= width
        assert plain.isprintable() or unicode
        assert "\n" not in plain
        assert "\x1b" not in plain
        assert unicode or plain.isascii()


def test_figures_are_shown_in_full_or_not_at_all(make: Make) -> None:
    """A number with its end cut off would be another number."""
    whole = set(re.findall(r"[\d.]+", table(chat_rows(make), 200)))
    for width in range(34, 200):
        found = set(re.findall(r"[\d.]+", table(chat_rows(make), width)))
        assert found <= whole


def steps_for(rows: list[SummaryRow], verbosity: int) -> int:
    """Bytecode instructions that a summary takes: a measure of work without a clock."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        summary_lines(rows, width=80, colour=True, unicode=True, verbosity=verbosity)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
@pytest.mark.parametrize("groups", [1, 7, 1000])
def test_twice_the_experiments_take_twice_the_work(make: Make, verbosity: int, groups: int) -> None:
    one = chat_rows(make)[1]

    def rows(count: int) -> list[SummaryRow]:
        known = [{"label": f"batch_size={i}", "group": f"test_{i % groups}"} for i in range(count)]
        results = [one.result.model_copy(update=update) for update in known]
        return [SummaryRow(result, one.judgements) for result in results]

    few, many, most = (steps_for(rows(count), verbosity) for count in (50, 100, 200))
    assert most - many < 2.1 * (many - few)


def test_ten_thousand_experiments_are_shown(make: Make) -> None:
    one = chat_rows(make)[0]
    rows = [
        SummaryRow(one.result.model_copy(update={"label": f"batch_size={index}"}), one.judgements)
        for index in range(10_000)
    ]
    lines = summary_lines(rows, width=80, colour=False, unicode=True, verbosity=0)
    assert sum(" batch_size=" in line for line in lines) == 10_000
    assert lines[-1] == "10000 experiments: 10000 pass"


def with_floor(make: Make, label: str, **floor: Any) -> SummaryRow:
    known = Floor(**{"reason": "1 × NVIDIA H100 80GB HBM3, bfloat16", **floor})
    return make.token_row(label, 0.1, 0.001, floor=known, windows=(make.window(0),))


def test_multiples_of_the_reference_are_shown_when_asked_for(make: Make) -> None:
    rows = [
        with_floor(make, "one", reference_per_output_token_j=0.03, times_reference=3.333),
        with_floor(make, "two", reason="no accelerator was measured"),
    ]
    assert "reference" not in table(rows, 120)
    lines = table(rows, 120, verbosity=1).splitlines()
    assert lines[0].split() == ["energy"]
    assert lines[1].endswith(" × reference")
    assert lines[-2].split()[-1] == "3.33"
    assert lines[-1].split()[-1] == "–"  # noqa: RUF001 - the sign for unknown


def test_the_floor_is_told_in_full_with_the_windows(make: Make) -> None:
    decode = FloorFigures(reference_per_output_token_j=0.03, times_reference=2.5)
    row = with_floor(
        make,
        "one",
        strict_per_output_token_j=0.0301,
        reference_per_output_token_j=0.0312,
        times_reference=3.333,
        decode=decode,
    )
    text = " ".join(shown([row], 120, verbosity=2).split())
    assert (
        "floor: strict 30.1, reference 31.2 mJ/output token, measured 3.33 times the reference, "
        "decode 2.50 times the reference (1 × NVIDIA H100 80GB HBM3, bfloat16)"
    ) in text
    assert "floor: none, since no accelerator" in " ".join(
        shown([with_floor(make, "two", reason="no accelerator")], 120, verbosity=2).split()
    )
