"""Stored runs, for people and for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.reports.columns_of_text import in_columns
from pytest_llem.reports.text import display_width
from pytest_llem.results.names import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.results.environment import Environment
    from pytest_llem.results.listing import StoredRun
    from pytest_llem.results.manifest import Manifest

_STEP = 1000
_TO_THE_MINUTE = 16
_MOST_NAMES = 3


def list_lines(runs: Sequence[StoredRun], width: int | None = None) -> list[str]:
    """A table, a line a run, and below it what is wrong with any.

    Where it would be wider than *width*, it is without the instant that a run was begun, with which
    its id begins.
    """
    if not runs:
        return []
    rows = [
        ("run", "begun (UTC)", "state", "verdicts", "size"),
        *(
            (
                one.run_id,
                _date(one),
                state_of(one),
                counted(one.verdicts) or "-",
                size(one.size_bytes),
            )
            for one in runs
        ),
    ]
    lines = in_columns(rows)
    if width is not None and max(map(display_width, lines)) > width:
        lines = in_columns([(name, *others) for name, _, *others in rows])
    return [*lines, *(one.problem for one in runs if one.problem is not None)]


def list_json(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """The same as JSON values."""
    return [
        {
            "run_id": run.run_id,
            "path": str(run.path),
            "state": run.condition,
            "started_at": run.started_at,
            "experiments_done": run.done,
            "experiments_planned": run.planned,
            "verdicts": dict(run.verdicts),
            "size_bytes": run.size_bytes,
            "problem": run.problem,
        }
        for run in runs
    ]


def head_lines(run: StoredRun, manifest: Manifest, environment: Environment | None) -> list[str]:
    """What a stored run was, above its table."""
    each = f", {manifest.repeats} processes each" if manifest.repeats > 1 else ""
    lines = [
        f"run {run.run_id}: {state_of(run)}{each}, {size(run.size_bytes)}",
        f"begun {manifest.started_at} with: {command_line(manifest.command)}",
    ]
    if environment is not None and (machine := ", ".join(_machine(environment))):
        lines.append(f"on {machine}")
    for again in manifest.resumptions:
        lines.append(f"resumed {again.at} with: {command_line(again.command)}")
        lines += [
            f"  changed by then: {one.field}: {one.before} → {one.now}" for one in again.drift
        ]
    if run.condition == "interrupted":
        lines.append(f"go on with it: the same command and --llem-resume={run.run_id}")
    return lines


def state_of(run: StoredRun) -> str:
    """Such as ``finished, 12 experiments`` or ``interrupted at 3 of 12``."""
    if run.planned is None:
        return run.condition
    if run.condition == "finished":
        return f"finished, {run.planned} experiment{'' if run.planned == 1 else 's'}"
    return f"{run.condition} at {run.done} of {run.planned}"


def unfinished_text(done: int, planned: int, unfinished: Sequence[str]) -> str:
    """What of a run that has ended is not there; empty if all is."""
    if done >= planned:
        return ""
    of = f"{planned} experiment{'' if planned == 1 else 's'}"
    names = [*unfinished[:_MOST_NAMES], *(["…"] if len(unfinished) > _MOST_NAMES else [])]
    which = f": {', '.join(names)}" if names else ""
    return f"INCOMPLETE: {planned - done} of {of} did not finish{which}."


def counted(verdicts: Mapping[str, int]) -> str:
    """Such as ``2 pass, 1 regressed``."""
    return ", ".join(f"{number} {word.replace('_', ' ')}" for word, number in verdicts.items())


def size(size_bytes: int) -> str:
    """Such as ``1.4 MB``, in steps of a thousand."""
    value, units = float(size_bytes), ("B", "kB", "MB", "GB", "TB")
    for unit in units[:-1]:
        if value < _STEP:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    return f"{value:.1f} {units[-1]}"


def _date(run: StoredRun) -> str:
    if run.started_at is None:
        return "-"
    return run.started_at[:_TO_THE_MINUTE].replace("T", " ")


def _machine(environment: Environment) -> Iterator[str]:
    yield from filter(None, (environment.cpu_model, environment.os, environment.python))
    yield from (gpu.name or "GPU" for gpu in environment.gpus or ())
