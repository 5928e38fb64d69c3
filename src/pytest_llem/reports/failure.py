"""What a test says when its gate was not passed: no traceback, but what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.reports.quantities import percent, quantity
from pytest_llem.reports.rows import SummaryRow, name_of
from pytest_llem.reports.text import clean, glyphs, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.verdict import Judgement, Verdict
    from pytest_llem.energy.measured import Measured
    from pytest_llem.results.schema import ExperimentResult

WIDTH = 80
_UPDATE = "--llem-update-baselines"
_NEXT: dict[Verdict, str] = {
    "regressed": "If it is meant to be so, accept it as the new baseline with:",
    "inconclusive": (
        "More or longer windows may tell (--llem-set measurement.windows=20). "
        "To start from a new baseline:"
    ),
    "incomparable": "To compare with this machine and setup from now on, store a baseline:",
    "new": "Store one with:",
}


def regression_text(
    result: ExperimentResult,
    judgements: Sequence[Judgement],
    *,
    strict: bool = False,
    unicode: bool = True,
    processes: int = 1,
) -> str:
    """The long representation of a failed gate.

    Args:
        result: The experiment.
        judgements: All of its judgements; those that do not fail it are left out.
        strict: Whether verdicts that tell nothing fail the run.
        unicode: Whether the text may hold more than ASCII.
        processes: How many processes the result pools.

    Returns:
        Lines of at most 80 columns where words allow; empty if nothing failed.
    """
    failed = [judgement for judgement in judgements if judgement.failed(strict=strict)]
    if not failed:
        return ""
    name = clean(name_of(SummaryRow(result)), unicode=unicode)
    lines = [f"energy gate not passed: {name}"]
    for judgement in failed:
        lines += ["", *_facts(result, judgement, processes, unicode=unicode)]
    lines += ["", *_next_steps(result, failed)]
    return "\n".join(lines)


def _facts(
    result: ExperimentResult, judgement: Judgement, processes: int, *, unicode: bool
) -> Iterator[str]:
    measured = next((m for m in result.measurements if m.name == judgement.measurement), None)
    where = "" if measured is None or measured is result.headline else f" of {measured.name}"
    yield clean(f"{judgement.metric}{where}: {judgement.verdict}", unicode=unicode)
    for title, text in _told(judgement, measured, processes, unicode=unicode):
        if text:
            said = clean(text, unicode=unicode)
            yield from wrapped(said, WIDTH, first=f"  {title:<10}", indent=" " * 12)


def _told(
    judgement: Judgement, measured: Measured | None, processes: int, *, unicode: bool
) -> Iterator[tuple[str, str]]:
    estimated = is_estimate(measured, judgement.metric)
    title = "limit" if judgement.is_limit else "from, to"
    yield title, _from_to(judgement, estimated=estimated, unicode=unicode)
    yield "change", _change(judgement, estimated=estimated, unicode=unicode)
    if estimated:
        yield "method", "ESTIMATED, not measured"
    if measured is not None:
        counted = len(measured.samples())
        where = "this process" if processes == 1 else f"{processes} processes"
        yield "this run", f"{counted} window{'' if counted == 1 else 's'} in {where}"
    yield "why", judgement.explanation


def _from_to(judgement: Judgement, *, estimated: bool, unicode: bool) -> str:
    if judgement.baseline is None and judgement.candidate is None:
        return ""
    before, after = quantity(
        judgement.metric,
        judgement.baseline,
        judgement.candidate,
        estimated=estimated,
        unicode=unicode,
    )
    return f"{before} {glyphs(unicode=unicode).arrow} {after}"


def _change(judgement: Judgement, *, estimated: bool, unicode: bool) -> str:
    if judgement.change is None and judgement.interval is None:
        return f"unknown; tolerance {judgement.tolerance}"
    signs = glyphs(unicode=unicode)
    change, interval = percent(judgement.change, judgement.interval, signs=signs)
    mark = "~" if estimated else ""
    within = f" {interval}" if interval else ""
    return f"{mark}{change.text(signs)} %{within}; tolerance {judgement.tolerance}"


def _next_steps(result: ExperimentResult, failed: Sequence[Judgement]) -> Iterator[str]:
    if result.node_id is None:
        yield f"Samples, marks and trace are kept under run {result.run_id}."
        return
    test = shlex.quote(result.node_id)
    yield f"Every window, and what disturbed it (this was run {result.run_id}):"
    yield f"  pytest -vv {test}"
    of_baselines = [judgement for judgement in failed if not judgement.is_limit]
    for verdict in dict.fromkeys(judgement.verdict for judgement in of_baselines):
        if verdict in _NEXT:
            yield from wrapped(_NEXT[verdict], WIDTH)
            yield f"  pytest {_UPDATE} {test}"
