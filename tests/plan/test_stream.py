"""Points of a study one by one are those that pytest collects."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_llem.config.layers.layer import Layers
from pytest_llem.config.study_file import read_study
from pytest_llem.errors import ConfigError
from pytest_llem.plan.overrides import overrides_of
from pytest_llem.plan.stream import StudyPoints, tally
from pytest_llem.plan.tally_lines import tally_lines

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Inner, WriteStudy


def streamed(path: Path, *options: str, backends: tuple[str, ...] = ()) -> StudyPoints:
    asked = overrides_of(backends, None, options)
    return StudyPoints(read_study(path), path, Layers(), asked, lambda _: None)


@pytest.mark.parametrize(
    ("options", "backends"),
    [((), ()), (("seed=7",), ()), ((), ("transformers",)), ((), ("vllm", "transformers"))],
)
def test_they_have_the_labels_and_identities_that_pytest_collects(
    inner: Inner,
    write_study: WriteStudy,
    swept: str,
    options: tuple[str, ...],
    backends: tuple[str, ...],
) -> None:
    path = write_study(swept)
    given = [f"--llem-set={one}" for one in options]
    given += [f"--llem-backend={','.join(backends)}"] if backends else []
    collected = inner.collect("", "quant.llem.yaml", *given)
    points = list(streamed(path, *options, backends=backends))
    assert [f"quant[{point.label}]" for point in points] == collected.names
    assert [point.identity for point in points] == [
        collected[name].identity for name in collected.names
    ]


def test_what_is_invalid_or_measured_twice_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "it.llem.yaml"
    path.write_text(
        dedent(
            """
            base: {model: builtin/tiny}
            sweep:
              quantization: [awq, null]
              device: [cpu, "cuda:0"]
              batch_size: [1, 2, 3]
            experiments:
              - {batch_size: 2, device: cpu}
              - {batch_size: 9}
            repeats: 2
            """
        )
    )
    found = tally(streamed(path))
    assert (found.points, found.processes, found.duplicates) == (14, 16, 1)
    assert list(found.invalid.values()) == [6]
    assert found.first["duplicate"] == [f"{path}::it[batch_size=2+device=cpu]"]
    assert tally(streamed(path), repeats=5).processes == 40
    lines = list(tally_lines("it", streamed(path).axes(), found, 60))
    assert "  8 can be run, 6 are invalid, 1 repeat another" in lines
    assert any(line.startswith("  invalid, 6: quantization='awq'") for line in lines)


def test_options_that_empty_an_exclusion_are_told(tmp_path: Path) -> None:
    path = tmp_path / "it.llem.yaml"
    path.write_text("sweep:\n  batch_size: [1, 2]\n")
    with pytest.raises(ConfigError, match="bach_size"):
        streamed(path, "bach_size=1")
    assert [point.label for point in streamed(path, "batch_size=4")] == ["4"]


@pytest.mark.parametrize("written", ["tensorrt-llm", "tensorrt_llm"])
def test_an_engine_is_the_same_with_a_dash(inner: Inner, written: str) -> None:
    """Also where options of its own are crossed for it alone, and in whose identity it is."""
    text = f"""
        base: {{model: builtin/tiny}}
        sweep:
          backend: [transformers, {written}]
          tensorrt_llm.streaming: [true, false]
    """
    inner.pytester.makefile(".llem.yaml", it=dedent(text))
    points = list(streamed(inner.pytester.path / "it.llem.yaml"))
    assert [point.label for point in points] == [
        "transformers",
        "tensorrt_llm-tensorrt_llm.streaming=True",
        "tensorrt_llm-tensorrt_llm.streaming=False",
    ]
    source = f"""
        import pytest

        @pytest.mark.llem(model="builtin/tiny", backend="{written}", tensorrt_llm={{"streaming": True}})
        def test_it(energy, model): ...
    """
    assert inner.collect(dedent(source))["test_it"].identity == points[1].identity
