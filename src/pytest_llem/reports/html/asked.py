"""What was asked of an engine, field by field, and what took effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.engines.effective import KEY, agrees
from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.html.values import named_values, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.results.schema import ExperimentResult

ALWAYS = ("model", "backend", "dtype", "batch_size", "input_tokens", "output_tokens")
"""Fields that are shown though they have their default."""


def asked_of(result: ExperimentResult) -> list[tuple[str, str, str, bool]]:
    """Field, what was asked, what took effect (a dash if the engine does not say), if they differ."""
    config = result.config
    given = config.model_dump(mode="json", exclude_defaults=True)
    wanted = {name: getattr(config, name) for name in ALWAYS} | given
    effective = (result.engine or {}).get(KEY) or {}
    rows = [_row(*one, effective) for one in _fields(wanted, config.backend)]
    named = {field.rpartition(".")[2] for field, *_ in rows}
    unasked = (
        (VIEW.clean(str(name)), VIEW.signs.unknown, text_of(value, str(name)), False)
        for name, value in effective.items()
        if name not in named
    )
    return [*rows, *unasked]


def _fields(wanted: dict[str, Any], backend: str) -> Iterator[tuple[str, str | None, Any]]:
    """Dotted name, the engine's name for it if it has one, and the value."""
    for name, value in wanted.items():
        if not isinstance(value, dict):
            yield name, name, value
            continue
        for option, inner in value.items():
            yield f"{name}.{option}", option if name == backend else None, inner


def _row(
    field: str, option: str | None, value: Any, effective: dict[str, Any]
) -> tuple[str, str, str, bool]:
    if option is None or option not in effective:
        return VIEW.clean(field), text_of(value, field), VIEW.signs.unknown, False
    took = effective[option]
    differs = value not in ("auto", None) and not agrees(value, took)
    return VIEW.clean(field), text_of(value, field), text_of(took, field), differs


def engine_of(result: ExperimentResult) -> list[tuple[str, str]]:
    """What else the engine says of itself."""
    said = {name: value for name, value in (result.engine or {}).items() if name != KEY}
    return named_values(said)


def elsewhere_of(result: ExperimentResult) -> list[tuple[str, str]]:
    """The interpreter or container that it ran in; empty if it was the run's own."""
    if result.elsewhere is None:
        return []
    return named_values(result.elsewhere.model_dump(mode="json"))
