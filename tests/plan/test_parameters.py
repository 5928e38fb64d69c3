from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Inner

CHAT = """
import pytest

@pytest.mark.llem(input_tokens=128, output_tokens=64)
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chat(energy, model, batch_size, dtype):
    assert (energy, model) == ("energy", "session")
"""


def test_parameters_named_like_fields_belong_to_the_experiment(inner: Inner) -> None:
    collected = inner.collect(CHAT)
    assert collected.names == [
        "test_chat[float32-1]",
        "test_chat[float32-8]",
        "test_chat[bfloat16-1]",
        "test_chat[bfloat16-8]",
    ]
    point = collected["test_chat[bfloat16-8]"]
    assert point.config is not None
    assert (point.config.batch_size, point.config.dtype) == (8, "bfloat16")
    assert point.axes == {"dtype": "bfloat16", "batch_size": 8}
    assert point.own_arguments == {}
    assert (point.group, point.label) == ("test_it.py::test_chat", "bfloat16-8")
    assert point.node_id == "test_it.py::test_chat[bfloat16-8]"
    assert len({collected[name].identity for name in collected.names}) == 4


def test_other_parameters_are_the_tests_own_and_tell_experiments_apart(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.parametrize("load", ["steady", "bursty"])
        def test_it(energy, load): ...

        def test_plain(energy): ...
        """
    )
    steady, bursty = collected["test_it[steady]"], collected["test_it[bursty]"]
    assert steady.own_arguments == {"load": "steady"}
    assert steady.config == bursty.config
    assert len({steady.identity, bursty.identity, collected["test_plain"].identity}) == 3


def test_a_point_has_its_items_node_id_also_where_that_shows_no_parameter(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.parametrize("prompt", ["", "a::b"])
        def test_text(energy, prompt): ...

        @pytest.mark.parametrize("batch_size", [pytest.param(2, id="")])
        def test_field(energy, batch_size): ...

        @pytest.mark.parametrize("load", [pytest.param(1, id=pytest.HIDDEN_PARAM)])
        def test_hidden(energy, load): ...

        def test_plain(energy): ...
        """
    )
    names = ["test_text[]", "test_text[a::b]", "test_field[]", "test_hidden", "test_plain"]
    assert collected.names == names
    assert [collected[name].node_id for name in names] == [f"test_it.py::{name}" for name in names]


def test_own_arguments_go_by_explicit_ids_or_by_their_values(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.parametrize("load", [object(), pytest.param({1, 2}, id="pair")])
        @pytest.mark.parametrize("kind", [1.5, None], ids=["warm", "cold"])
        @pytest.mark.parametrize("batch_size, how", [(1, "a"), (8, max), (8, object())])
        def test_it(energy, load, kind, batch_size, how): ...
        """
    )
    own = [collected[name].own_arguments for name in collected.names]
    assert {token for arguments in own for token in [arguments["load"]]} == {"load0", "pair"}
    assert {token for arguments in own for token in [arguments["kind"]]} == {"warm", "cold"}
    assert {token for arguments in own for token in [arguments["how"]]} == {"a", "max", "how2"}
    assert len({collected[name].identity for name in collected.names}) == 12


def test_a_parametrized_fixture_counts_like_a_parameter(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.fixture(params=["float32", "float16"])
        def dtype(request):
            return request.param

        @pytest.fixture(params=["x", "y"])
        def load(request):
            return request.param

        def test_it(energy, dtype, load): ...
        """
    )
    points = [collected[name] for name in collected.names]
    assert [point.axes for point in points[:2]] == [{"dtype": "float32"}, {"dtype": "float32"}]
    assert [point.own_arguments for point in points[:2]] == [{"load": "x"}, {"load": "y"}]


def test_hidden_plumbing_is_no_argument_of_the_test(inner: Inner) -> None:
    inner.pytester.makepyfile(
        repeat="""
        def pytest_generate_tests(metafunc):
            metafunc.fixturenames.append("__step")
            metafunc.parametrize("__step", range(2))
        """
    )
    inner.pytester.syspathinsert()
    collected = inner.collect("def test_it(energy): ...", "-p", "repeat")
    assert [collected[name].own_arguments for name in collected.names] == [{}, {}]


def test_a_parametrized_model_names_the_model_and_leaves_the_session(inner: Inner) -> None:
    source = """
        import pytest

        @pytest.mark.parametrize("model", ["org/a", "org/b"])
        @pytest.mark.parametrize("batch_size, seed", [(1, 0)])
        def test_it(energy, model, batch_size, seed):
            assert model == "session"
        """
    collected = inner.collect(source)
    assert collected.names == ["test_it[1-0-org/a]", "test_it[1-0-org/b]"]
    config = collected["test_it[1-0-org/b]"].config
    assert config is not None
    assert config.model == "org/b"
    inner.run(source).assert_outcomes(passed=2)


def test_a_model_parametrized_with_other_arguments_leaves_the_session_too(inner: Inner) -> None:
    source = """
        import pytest

        @pytest.mark.parametrize("batch_size, model", [(1, "org/a"), (2, "org/b")])
        def test_it(energy, model, batch_size):
            assert (model, batch_size) in {("session", 1), ("session", 2)}
        """
    collected = inner.collect(source)
    config = collected["test_it[2-org/b]"].config
    assert config is not None
    assert (config.model, config.batch_size) == ("org/b", 2)
    inner.run(source).assert_outcomes(passed=2)


def test_sections_are_parametrized_as_mappings_with_readable_ids(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        @pytest.mark.llem(backend="vllm")
        @pytest.mark.parametrize("vllm", [{"max_num_seqs": 64}, {}, {"enforce_eager": True}])
        @pytest.mark.parametrize("prompts", [["a", "b"]])
        def test_it(energy, vllm, prompts): ...
        """
    )
    assert [name.partition("-")[2] for name in collected.names] == [
        "vllm.max_num_seqs=64]",
        "vllm]",
        "vllm.enforce_eager=True]",
    ]
    point = collected[collected.names[0]]
    assert point.axes == {"prompts": ["a", "b"], "vllm.max_num_seqs": 64}
    assert point.config is not None
    assert point.config.prompts == ("a", "b")


def test_an_argument_named_like_a_field_gets_the_effective_value(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.fixture
        def requests(batch_size):
            return [None] * batch_size

        @pytest.mark.llem(batch_size=8, vllm={"max_num_seqs": 3})
        def test_it(energy, requests, batch_size, seed, backend, vllm):
            assert (len(requests), batch_size, seed, backend) == (8, 8, 0, "transformers")
            assert vllm == {"max_num_seqs": 3}
        """,
        "-v",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_it PASSED*"])


def test_a_parametrization_without_values_is_skipped_and_called_invalid(inner: Inner) -> None:
    source = """
        import pytest

        @pytest.mark.parametrize("batch_size", [])
        def test_it(energy, batch_size): ...
        """
    collected = inner.collect(source)
    (point,) = collected.points.values()
    assert point is not None
    assert point.invalid == "batch_size: parametrized without any value"
    inner.run(source).assert_outcomes(skipped=1)


def test_pytests_own_complaints_stay_as_they_are(inner: Inner) -> None:
    result = inner.run(
        """
        import pytest

        @pytest.mark.parametrize("batch_size, seed", [(1, 2, 3)])
        def test_it(energy, batch_size, seed): ...
        """
    )
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*number of names (2)*", "*number of values (3)*"])


def test_parametrize_accepts_what_it_accepts_without_the_plugin(inner: Inner) -> None:
    collected = inner.collect(
        """
        import pytest

        def pytest_generate_tests(metafunc):
            metafunc.parametrize(("seed",), [(1,), (2,)], ids=str)

        @pytest.mark.parametrize("batch_size", (size for size in (1, 8)))
        @pytest.mark.filterwarnings("ignore")
        def test_it(energy, batch_size, seed): ...
        """
    )
    assert sorted(collected.names) == [f"test_it[{b}-{s}]" for b in (1, 8) for s in (1, 2)] or (
        sorted(collected.names) == [f"test_it[{s}-{b}]" for s in (1, 2) for b in (1, 8)]
    )
