"""Study files collected by pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Inner, WriteStudy


def test_a_study_is_a_parametrized_experiment(
    inner: Inner, write_study: WriteStudy, swept: str
) -> None:
    write_study(swept)
    collected = inner.collect("", "quant.llem.yaml")
    assert collected.names == [
        "quant[transformers-1-short]",
        "quant[transformers-1-512+1]",
        "quant[transformers-8-short]",
        "quant[vllm-8-short-vllm.max_num_seqs=64]",
        "quant[batch_size=64]",
        "quant[big]",
    ]
    point = collected["quant[vllm-8-short-vllm.max_num_seqs=64]"]
    assert point.config is not None
    assert (point.config.output_tokens, point.config.input_tokens) == (8, 16)
    assert point.config.vllm.max_num_seqs == 64
    dependent = collected["quant[transformers-1-512+1]"]
    assert dependent.config is not None
    assert (dependent.config.output_tokens, dependent.config.input_tokens) == (1, 512)


def test_options_win_over_a_study(inner: Inner, write_study: WriteStudy, swept: str) -> None:
    write_study(swept)
    options = ("--llem-set=batch_size=2", "--llem-backend=transformers")
    collected = inner.collect("", "quant.llem.yaml", *options)
    assert collected.names == [
        "quant[transformers-2-short]",
        "quant[transformers-2-512+1]",
        "quant[batch_size=2]",
    ]


def test_a_study_that_cannot_be_is_an_error_with_its_place(
    inner: Inner, write_study: WriteStudy
) -> None:
    write_study("base:\n  batch_size: 0\n")
    result = inner.run("", "quant.llem.yaml")
    result.stdout.fnmatch_lines(["*quant.llem.yaml:2:3: batch_size=0: must be*"])
    assert "Traceback" not in result.stdout.str()
    write_study("sweep:\n  batch_size: [1, 2]\nexclude:\n  - {batch_size: [1, 2]}\n")
    inner.run("", "quant.llem.yaml").stdout.fnmatch_lines(
        ["*exclude: leaves no point of the grid*"]
    )


def test_an_impossible_point_is_skipped_and_says_why(inner: Inner, write_study: WriteStudy) -> None:
    write_study("base: {model: builtin/tiny}\nsweep:\n  quantization: [awq, null]\n")
    result = inner.run("", "quant.llem.yaml", "-rs", "-k", "awq")
    result.stdout.fnmatch_lines(["SKIPPED*quant.llem.yaml:1: quantization='awq'*"])
    result.assert_outcomes(skipped=1, deselected=1)


def test_studies_are_found_in_folders_by_their_name_and_elsewhere_when_named(
    inner: Inner, write_study: WriteStudy
) -> None:
    text = "base: {batch_size: 1}\n"
    for name in ("a.llem.yaml", "b.llem.yml", "c.yaml"):
        write_study(text, name)
    assert inner.collect("", ".").names == ["a", "b"]
    assert inner.collect("", "c.yaml").names == ["c"]


def test_the_order_of_a_study_is_its_seeds(inner: Inner, write_study: WriteStudy) -> None:
    sweep = "sweep:\n  batch_size: [1, 2, 3, 4, 5, 6]\n"
    orders = []
    for order in ("listed", "{shuffle: 1}", "{shuffle: 1}", "{shuffle: 2}"):
        write_study(f"{sweep}order: {order}\n")
        orders.append(inner.collect("", "quant.llem.yaml").names)
    assert orders[0] == [f"quant[{size}]" for size in range(1, 7)]
    assert orders[1] == orders[2] != orders[0]
    assert sorted(orders[3]) == orders[0] != orders[3] != orders[1]


def test_a_grid_can_set_fields_together_too(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        @llem.grid(shape=[{"input_tokens": 8, "output_tokens": 2}, {"input_tokens": 4}])
        def test_chat(energy): ...
        """
    )
    assert collected.names == ["test_chat[8+2]", "test_chat[4]"]


def test_fields_set_together_and_parametrized_too_are_refused(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest
        from pytest_llem import llem

        @pytest.mark.parametrize("batch_size", [1])
        @llem.grid(shape=[{"input_tokens": 8, "batch_size": 2}])
        def test_chat(energy, batch_size): ...
        """
    )
    result.stdout.fnmatch_lines(["*batch_size: is in llem.grid and parametrized too*"])
