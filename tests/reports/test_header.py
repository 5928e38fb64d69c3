from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.reports.header import MOST_LINES, header_lines
from pytest_llem.reports.text import display_width

XEON = {
    "cpu_model": "Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz",
    "usable_cores": 4.0,
    "logical_cores": 16,
    "gpus": (),
}
H100 = {"gpus": [{"name": "NVIDIA H100 80GB HBM3"}] * 4, "driver_version": "550.54.15"}
ESTIMATE = {
    "meter_name": "estimate",
    "meter_why": "no NVIDIA driver on this machine; CPU time × 10 W per core (assumed)",
    "measured": False,
}
NVML = {
    "meter_name": "nvml",
    "meter_why": "nvml reads 4 × NVIDIA H100 80GB HBM3",
    "measured": True,
}


def lines(machine: object, meter: dict[str, Any], **others: Any) -> list[str]:
    return header_lines(
        machine=machine, **meter, **{"profile": "default", "isolation": "spawn", **others}
    )


def test_a_machine_without_a_meter_says_that_figures_are_estimated() -> None:
    assert lines(XEON, ESTIMATE, unicode=False) == [
        "llem: Intel Xeon Platinum 8370C, 4 of 16 cores; profile default, isolation spawn",
        "llem: energy is ESTIMATED by meter estimate (no NVIDIA driver on this machine;",
        "      CPU time x 10 W per core (assumed))",
    ]


def test_equal_gpus_are_counted() -> None:
    assert lines(H100, NVML) == [
        "llem: 4 × NVIDIA H100 80GB HBM3, driver 550.54.15; profile default, isolation",
        "      spawn",
        "llem: energy is measured by nvml (reads 4 × NVIDIA H100 80GB HBM3)",
    ]


@pytest.mark.parametrize("name", ["replay", "replay and nvml"])
def test_a_replay_never_reads_as_measured(name: str) -> None:
    why = "replayed from it.trace.parquet, recorded on NVIDIA L4, 2026-02-03"
    shown = {
        measured: " ".join(
            lines(XEON, {"meter_name": name, "meter_why": why, "measured": measured})[1:]
        )
        for measured in (True, False)
    }
    assert "energy is REPLAYED, not measured here (replayed from it.trace.parquet" in shown[True]
    assert "energy is REPLAYED from an ESTIMATE (replayed from" in shown[False]
    assert "measured by" not in shown[True]


def test_the_environment_may_be_an_object() -> None:
    assert lines(SimpleNamespace(**XEON), ESTIMATE) == lines(XEON, ESTIMATE)


@pytest.mark.parametrize(
    ("machine", "shown"),
    [
        ({}, "unknown processor"),
        ({"cpu_model": None, "logical_cores": 8}, "unknown processor, 8 cores"),
        ({"cpu_model": "AMD EPYC 9334", "usable_cores": 1.0}, "AMD EPYC 9334, 1 core"),
        ({"cpu_model": "Neoverse", "usable_cores": 1.5, "logical_cores": 2}, "1.5 of 2 cores"),
        ({"gpus": [{"name": "L4"}, {"name": "T4"}, {"name": "L4"}]}, "2 x L4, 1 x T4;"),
        ({"gpus": [{}]}, "1 x unnamed GPU"),
    ],
)
def test_what_is_unknown_of_a_machine_is_left_out(machine: dict[str, Any], shown: str) -> None:
    assert shown in lines(machine, ESTIMATE, unicode=False)[0]


@given(st.text(max_size=200), st.text(max_size=400), st.booleans(), st.booleans())
def test_the_header_fits_whatever_it_has_to_say(
    name: str, why: str, measured: bool, unicode: bool
) -> None:
    meter = {"meter_name": "estimate", "meter_why": why, "measured": measured}
    for machine in ({"cpu_model": name}, {"gpus": [{"name": name}]}):
        shown = lines(machine, meter, unicode=unicode)
        assert 2 <= len(shown) <= MOST_LINES
        assert all(display_width(line) <= 80 for line in shown)
        assert ("ESTIMATED" in " ".join(shown)) is not measured or "ESTIMATED" in name + why
        assert unicode or all(line.isascii() for line in shown)
