"""The summary, arranged by options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]


def test_the_summary_is_arranged_as_asked_for(run: Run) -> None:
    source = """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 2])
        def test_sizes(energy, batch_size): pass
        """
    result = run(source, "--llem-columns=+ttft_s", "--llem-group-by=batch_size", "--llem-sort=-run")
    result.stdout.fnmatch_lines(["*TTFT*", "batch_size=2", "*", "batch_size=1"])
    for option in ("columns", "sort", "group-by"):
        refused = run(source, f"--llem-{option}=nothing_like_it")
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines([f"*--llem-{option}: 'nothing_like_it' is neither*"])
        refused.stdout.no_fnmatch_line("*Traceback*")
