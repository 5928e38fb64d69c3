"""Opening an engine's session for an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines import ENGINES
from pytest_llem.measure.session import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_llem.engines.engine import Generation
    from pytest_llem.workloads.request import Request


class FakeSession:
    closed = False
    tokenizer = None

    def generate(self, requests: Sequence[Request]) -> Generation:
        raise NotImplementedError

    def synchronize(self) -> None: ...

    def describe(self) -> dict[str, Any]:
        return {"engine": "fake", "effective": {"dtype": "float32", "max_num_seqs": 4}}

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    session = FakeSession()

    def load(self, config: ExperimentConfig) -> FakeSession:
        return self.session


class Recorder:
    """A link to a supervisor that only remembers."""

    def __init__(self) -> None:
        self.description: dict[str, Any] = {}

    def engine(self, description: dict[str, Any]) -> None:
        self.description = description

    def idle(self, least_s: float) -> None: ...

    def phase(self, name: str) -> None: ...


def test_the_supervisor_learns_what_took_another_effect_than_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ENGINES, "load", lambda name: FakeEngine)
    link: Any = Recorder()
    config = ExperimentConfig(backend="vllm", dtype="float16", vllm={"max_num_seqs": 4})
    with open_session(config, link) as session:
        assert session is FakeEngine.session  # type: ignore[comparison-overlap]
    assert link.description["engine"] == "fake"
    assert link.description["differences"] == [
        "dtype='float16' was asked for, but 'float32' took effect"
    ]
    assert FakeEngine.session.closed
