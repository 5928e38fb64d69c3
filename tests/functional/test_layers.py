"""Files and variables reach the process that measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

TEST = """
import pytest

@pytest.mark.llem(input_tokens=16)
def test_it(energy, batch_size, seed, input_tokens):
    assert (batch_size, seed, input_tokens) == (4, 7, 16)
    assert (energy.config.batch_size, energy.config.seed) == (4, 7)
"""


def test_a_child_has_the_values_of_its_supervisor(
    run: Callable[..., pytest.RunResult],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    launcher: str,
) -> None:
    pytester.path.joinpath("llem.yaml").write_text("batch_size: 4\nprofile: ci\n")
    monkeypatch.setenv("LLEM_SEED", "7")
    result = run(TEST, f"--llem-isolation={launcher}")
    result.assert_outcomes(passed=1)
    text = " ".join(result.stdout.str().split())
    assert "profile ci, isolation" in text
