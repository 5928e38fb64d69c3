"""Each target for a moment; ``make fuzz`` tries them for longer, where code leads the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzzing.targets import TARGETS

if TYPE_CHECKING:
    from fuzzing.target import Target

FEW = 8


@pytest.mark.filterwarnings("ignore")  # pytest runs within pytest
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_only_our_own_errors_come_of_it(target: Target) -> None:
    for seed in target.seeds[:1]:
        target.enter(seed)  # which is sound
    for seed in target.seeds:
        target.tried(seed)
        target.tried(seed[: len(seed) // 2])
        target.tried(b"\0" + seed)
        target.tried(b"[" * 2000)
    if target.values is not None:
        how = settings(
            max_examples=FEW,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        how(given(target.values)(target.tried))()


def test_an_error_that_is_not_ours_is_a_finding() -> None:
    def enter(_: object) -> None:
        raise KeyError("a bug")

    from fuzzing.target import Target

    with pytest.raises(KeyError):
        Target("broken", enter).tried(b"")
