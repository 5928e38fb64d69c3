from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Inner


def test_a_grid_is_one_parametrization_and_gives_effective_values(inner: Inner) -> None:
    source = """
        from pytest_llem import llem

        SEEN = []

        @llem.grid(batch_size=[1, 8], vllm={"max_num_seqs": [64, 256]}, backend="vllm")
        def test_chat(energy, model, batch_size, vllm):
            SEEN.append((batch_size, vllm["max_num_seqs"]))

        def test_seen():
            assert SEEN == [(1, 64), (1, 256), (8, 64), (8, 256)]
        """
    collected = inner.collect(source)
    assert collected.names[:4] == [
        "test_chat[1-vllm.max_num_seqs=64]",
        "test_chat[1-vllm.max_num_seqs=256]",
        "test_chat[8-vllm.max_num_seqs=64]",
        "test_chat[8-vllm.max_num_seqs=256]",
    ]
    point = collected["test_chat[8-vllm.max_num_seqs=64]"]
    assert point.axes == {"batch_size": 8, "vllm.max_num_seqs": 64}
    assert point.config is not None
    assert point.config.backend == "vllm"
    inner.run(source).assert_outcomes(passed=5)


def test_engine_options_are_crossed_only_with_their_engine(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        @llem.grid(
            backend=["transformers", "vllm"],
            vllm={"max_num_seqs": [64, 256]},
            transformers={"torch_compile": [True]},
        )
        def test_chat(energy): ...
        """
    )
    assert collected.names == [
        "test_chat[transformers-transformers.torch_compile=True]",
        "test_chat[vllm-vllm.max_num_seqs=64]",
        "test_chat[vllm-vllm.max_num_seqs=256]",
    ]


def test_options_of_an_engine_that_is_not_used_make_no_points(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        @llem.grid(vllm={"max_num_seqs": [64, 256]})
        def test_chat(energy): ...
        """
    )
    assert collected.names == ["test_chat"]


def test_an_engine_parametrized_outside_meets_only_its_own_options(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest
        from pytest_llem import llem

        @llem.grid(batch_size=[1, 8], vllm={"max_num_seqs": [64, 256]})
        @pytest.mark.parametrize("backend", ["transformers", "vllm"])
        def test_chat(energy, backend): ...
        """
    )
    assert collected.names == [
        "test_chat[transformers-1]",
        "test_chat[transformers-8]",
        "test_chat[vllm-1-vllm.max_num_seqs=64]",
        "test_chat[vllm-1-vllm.max_num_seqs=256]",
        "test_chat[vllm-8-vllm.max_num_seqs=64]",
        "test_chat[vllm-8-vllm.max_num_seqs=256]",
    ]


def test_a_grid_of_single_values_is_one_point_without_an_id(inner: Inner) -> None:
    source = """
        from pytest_llem import llem

        @llem.grid(batch_size=8, vllm={"max_num_seqs": 3})
        def test_chat(energy, batch_size):
            assert batch_size == 8
        """
    collected = inner.collect(source)
    assert collected.names == ["test_chat"]
    assert collected["test_chat"].axes == {}
    inner.run(source).assert_outcomes(passed=1)


def test_grids_on_class_and_module_combine_and_the_closer_axis_counts(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        pytestmark = [llem.grid(seed=[0, 1], batch_size=[1, 2, 3])]

        @llem.grid(dtype=["float16"], batch_size=[4])
        class TestChat:
            @llem.grid(seed=[7])
            def test_it(self, energy, batch_size): ...
        """
    )
    assert collected.names == ["test_it[7-4-float16]"]


def test_a_grid_combines_with_markers_and_parameters(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest
        from pytest_llem import llem

        @pytest.mark.llem(batch_size=99, input_tokens=5)
        @pytest.mark.parametrize("load", ["a", "b"])
        @llem.grid(batch_size=[1, 8])
        def test_it(energy, load): ...
        """
    )
    assert collected.names == ["test_it[a-1]", "test_it[a-8]", "test_it[b-1]", "test_it[b-8]"]
    point = collected["test_it[b-8]"]
    assert point.own_arguments == {"load": "b"}
    assert point.config is not None
    assert (point.config.batch_size, point.config.input_tokens) == (8, 5)


def test_a_model_axis_names_the_model_and_leaves_the_session(inner: Inner) -> None:
    source = """
        from pytest_llem import llem

        @llem.grid(model=["org/a", "org/b"])
        def test_it(model):
            assert model == "session"
        """
    collected = inner.collect(source)
    config = collected["test_it[org/b]"].config
    assert config is not None
    assert config.model == "org/b"
    inner.run(source).assert_outcomes(passed=2)


def test_measurement_is_an_axis_and_no_part_of_the_identity(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        @llem.grid(measurement={"windows": [3, 9]})
        def test_it(energy): ...
        """
    )
    assert collected.names == [
        "test_it[measurement.windows=3]",
        "test_it[measurement.windows=9]",
    ]
    three, nine = (collected[name] for name in collected.names)
    assert three.identity == nine.identity
    assert three.config is not None
    assert three.config.measurement.windows == 3


def test_traffic_is_an_axis_of_every_engine(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        @llem.grid(backend=["openai"], traffic={"rate_per_s": [2, 5]})
        def test_it(energy): ...
        """
    )
    rates = [
        point.config.traffic.rate_per_s for point in map(collected.__getitem__, collected.names)
    ]
    assert rates == [2, 5]


def test_ids_are_ascii_and_made_of_canonical_values(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        @llem.grid(
            model=["mod\\u00e8le/x y"],
            batch_size=["8"],
            prompts=[["a", "b"]],
            backend="vllm",
            vllm={"gpu_memory_utilization": [0.90]},
        )
        def test_it(energy): ...
        """
    )
    (name,) = collected.names
    assert name.startswith("test_it[mod%C3%A8le/x%20y-8-")
    assert name.endswith("-vllm.gpu_memory_utilization=0.9]")


def test_repeated_values_and_dashes_stay_apart(inner: Inner) -> None:
    collected = inner.collect(
        """
        from pytest_llem import llem

        @llem.grid(model=["a", "a-1", "a"], batch_size=[1])
        def test_it(energy): ...
        """
    )
    assert collected.names == ["test_it[a-1]", "test_it[a_1-1]", "test_it[a~2-1]"]


def test_a_field_in_a_grid_and_parametrized_too_is_refused(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest
        from pytest_llem import llem

        @llem.grid(batch_size=[1, 8])
        @pytest.mark.parametrize("batch_size", [2])
        def test_it(energy, batch_size): ...
        """
    )
    assert result.ret == 2
    result.stdout.fnmatch_lines(["  batch_size=[[]1, 8]: is in llem.grid and parametrized too."])


def test_importing_the_decorator_does_not_import_pydantic(inner: Inner) -> None:
    result = inner.run_apart(
        """
        import sys
        from pytest_llem import grid, llem

        marked = llem.grid(batch_size=[1, 8])(lambda: None)

        def test_it():
            assert grid is llem.grid
            assert "pydantic" not in sys.modules
        """
    )
    result.assert_outcomes(passed=1)
