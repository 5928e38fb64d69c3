"""How much of each engine's parameters an experiment can set, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llem.config.coverage.compare import Coverage


def coverage_lines(coverages: Iterable[Coverage]) -> Iterator[str]:
    """A paragraph an engine."""
    for number, coverage in enumerate(coverages):
        if number:
            yield ""
        yield from _paragraph(coverage)


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """The same as JSON values; shares from 0 to 1."""
    return {
        "engine": coverage.engine,
        "version": coverage.version,
        "listed_version": coverage.listed_version,
        "installed": coverage.installed,
        "affecting": len(coverage.affecting),
        "covered": len(coverage.affecting & coverage.covered),
        "share": coverage.share,
        "target": coverage.target,
        "raw_total": len(coverage.affecting | coverage.excluded),
        "raw_share": coverage.raw_share,
        "excluded": len(coverage.excluded),
        "excluded_share": coverage.excluded_share,
        "missing": sorted(coverage.missing),
        "new": sorted(coverage.new),
        "gone": sorted(coverage.gone),
    }


def _paragraph(coverage: Coverage) -> Iterator[str]:
    told = "asked of the installed engine" if coverage.installed else "by the committed list"
    yield f"{coverage.engine} {coverage.version}, {told}"
    covered, affecting = len(coverage.affecting & coverage.covered), len(coverage.affecting)
    met = "reached" if coverage.share >= coverage.target else "missed"
    yield (
        f"  {covered} of {affecting} parameters that affect inference: {coverage.share:.1%} "
        f"(target {coverage.target:.0%}: {met})"
    )
    everything = coverage.affecting | coverage.excluded
    yield (
        f"  {len(everything & coverage.covered)} of all {len(everything)}: {coverage.raw_share:.1%}; "
        f"{len(coverage.excluded)} left out for a reason: {coverage.excluded_share:.1%}"
    )
    yield from _names("missing", coverage.missing)
    yield from _names(f"new since {coverage.listed_version}", coverage.new)
    yield from _names(f"gone since {coverage.listed_version}", coverage.gone)


def _names(what: str, names: Iterable[str]) -> Iterator[str]:
    if shown := sorted(names):
        yield f"  {what}: {', '.join(shown)}"
