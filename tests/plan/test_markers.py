from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Inner


def test_a_marker_on_the_function_sets_fields(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.llem(input_tokens=12, output_tokens=6, vllm={"max_num_seqs": 64})
        def test_chat(energy): ...
        """
    )
    config = collected["test_chat"].config
    assert config is not None
    assert (config.input_tokens, config.output_tokens) == (12, 6)
    assert config.vllm.max_num_seqs == 64
    assert collected["test_chat"].axes == {}


def test_the_closest_marker_wins_and_sections_merge_key_by_key(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        pytestmark = pytest.mark.llem(
            batch_size=1, seed=1, dtype="float32", vllm={"max_num_seqs": 1, "max_model_len": 100}
        )

        @pytest.mark.llem(batch_size=2, seed=2, vllm={"enforce_eager": True})
        class TestChat:
            @pytest.mark.llem(batch_size=3, vllm={"max_num_seqs": 3})
            def test_it(self, energy): ...
        """
    )
    config = collected["test_it"].config
    assert config is not None
    assert (config.batch_size, config.seed, config.dtype) == (3, 2, "float32")
    assert config.vllm.model_dump(exclude_unset=True) == {
        "max_num_seqs": 3,
        "max_model_len": 100,
        "enforce_eager": True,
    }


def test_the_lower_of_two_markers_on_a_function_wins(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.llem(batch_size=2, seed=2)
        @pytest.mark.llem(batch_size=3)
        def test_it(energy): ...
        """
    )
    config = collected["test_it"].config
    assert config is not None
    assert (config.batch_size, config.seed) == (3, 2)


def test_the_marker_of_a_class_wins_over_that_of_its_base(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.llem(batch_size=1, seed=1)
        class Base:
            def test_it(self, energy): ...

        @pytest.mark.llem(batch_size=2)
        class TestDerived(Base): ...
        """
    )
    config = collected["test_it"].config
    assert config is not None
    assert (config.batch_size, config.seed) == (2, 1)


def test_a_marker_on_a_parameter_is_closer_than_one_on_the_function(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.llem(seed=1)
        @pytest.mark.parametrize(
            "load", ["a", pytest.param("b", marks=pytest.mark.llem(seed=2, batch_size=9))]
        )
        def test_it(energy, load): ...
        """
    )
    a, b = collected["test_it[a]"].config, collected["test_it[b]"].config
    assert a is not None
    assert b is not None
    assert (a.seed, a.batch_size) == (1, 1)
    assert (b.seed, b.batch_size) == (2, 9)


def test_parameters_win_over_markers(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.llem(batch_size=3, vllm={"max_num_seqs": 3, "enforce_eager": True})
        @pytest.mark.parametrize("batch_size", [1])
        @pytest.mark.parametrize("vllm", [{"max_num_seqs": 64}])
        def test_it(energy, batch_size, vllm): ...
        """
    )
    (point,) = collected.points.values()
    assert point is not None
    assert point.config is not None
    assert point.config.batch_size == 1
    assert point.config.vllm.max_num_seqs == 64
    assert point.config.vllm.enforce_eager


def test_the_marker_is_registered_and_explained(inner: Inner) -> None:
    result = inner.run("", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.llem(**fields): values of an experiment's fields*"])


def test_experiments_can_be_selected_by_the_marker(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.llem(batch_size=3)
        def test_it(energy): ...
        def test_other(energy): ...
        """,
        "-m",
        "llem",
    )
    assert collected.names == ["test_it"]
