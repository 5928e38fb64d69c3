"""Coverage of the engines' parameters, against the committed lists."""

from __future__ import annotations

import pytest

from pytest_llem.config.coverage.compare import coverage_of, settable
from pytest_llem.config.coverage.listing import MOST_EXCLUDED, Group, Listing, listings
from pytest_llem.config.sections import MODELS, model_of

ENGINES = sorted(MODELS.keys() - {"openai"})
"""A server is no package here, whose parameters could be listed."""
LISTING = Listing(
    engine="vllm",
    version="1.0",
    target=0.5,
    groups=(
        Group(
            name="EngineArgs",
            source="made up",
            affects=("max_num_seqs", "dtype", "unheard_of"),
            excluded={"log_level": "is logging", "stream_interval": "is made up"},
        ),
    ),
)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_sections_reach_their_targets(engine: str) -> None:
    coverage = coverage_of(listings()[engine])
    assert coverage.share >= coverage.target, sorted(coverage.missing)


def test_the_targets_are_those_that_were_set() -> None:
    targets = {engine: listing.target for engine, listing in listings().items()}
    assert targets == {"transformers": 0.95, "vllm": 0.90, "tensorrt_llm": 0.95}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_list_leaves_out_a_quarter_at_most_and_says_why(engine: str) -> None:
    listing = listings()[engine]
    assert coverage_of(listing).excluded_share <= MOST_EXCLUDED
    for group in listing.groups:
        assert group.source
        assert all(len(reason.split()) >= 3 for reason in group.excluded.values())
        assert not set(group.affects) & group.excluded.keys()
        assert len(set(group.affects)) == len(group.affects)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_option_of_a_section_is_a_listed_parameter_that_affects_inference(
    engine: str,
) -> None:
    assert settable(engine) <= listings()[engine].affecting


def test_extra_covers_nothing() -> None:
    for engine in ENGINES:
        assert not any(name.endswith(".extra") for name in settable(engine))
        assert "extra" in model_of(engine).model_fields


def test_what_no_option_sets_is_missing() -> None:
    coverage = coverage_of(LISTING)
    assert coverage.missing == {"EngineArgs.unheard_of"}
    assert coverage.share == 2 / 3
    assert coverage.raw_share == 3 / 5  # the section has a parameter that the list leaves out
    assert coverage.excluded_share == 2 / 5
    assert not coverage.new
    assert not coverage.gone


def test_an_installed_engine_that_drifted_from_the_list_is_told() -> None:
    installed = {"EngineArgs.max_num_seqs", "EngineArgs.log_level", "EngineArgs.brand_new"}
    coverage = coverage_of(LISTING, installed, "1.1")
    assert (coverage.version, coverage.listed_version) == ("1.1", "1.0")
    assert coverage.new == {"EngineArgs.brand_new"}
    assert coverage.gone == {
        "EngineArgs.dtype",
        "EngineArgs.unheard_of",
        "EngineArgs.stream_interval",
    }


def test_a_new_parameter_counts_until_the_list_says_otherwise() -> None:
    coverage = coverage_of(LISTING, {"EngineArgs.max_num_seqs", "EngineArgs.brand_new"}, "1.1")
    assert coverage.share == 1 / 2
    assert coverage.missing == {"EngineArgs.brand_new"}


def test_a_new_parameter_that_an_option_happens_to_set_is_covered() -> None:
    coverage = coverage_of(LISTING, {"EngineArgs.max_num_seqs", "EngineArgs.block_size"}, "1.1")
    assert coverage.share == 1
    assert coverage.new == {"EngineArgs.block_size"}
