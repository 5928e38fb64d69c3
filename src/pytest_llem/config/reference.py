"""All fields of experiments, and options of the engines, as a document: ``python -m pytest_llem.config.reference [FILE]``."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.measurement import MeasurementConfig
from pytest_llem.config.problems import describe
from pytest_llem.config.sections import MODELS, model_of
from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.config.workload import WorkloadConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from pytest_llem.config.engines.section import Section

INTRODUCTION = """# Fields of experiments, and options of the engines

Written by `python -m pytest_llem.config.reference docs/options.md`. [Configuration](configuration.md)
says where they are set, [Engines](engines.md) what becomes of the engines' options. Of those, nothing
set leaves a choice to the engine, unless a default is named; `extra` takes what is not here."""
SECTIONS: Mapping[str, type[BaseModel]] = {
    "workload": WorkloadConfig,
    "traffic": TrafficConfig,
    "measurement": MeasurementConfig,
}
"""Sections that are not one engine's."""
WIDE = 90
"""Characters of an allowed value beyond which only its beginning is shown."""


def reference() -> str:
    """The document, one table a group of options."""
    engines = (line for name in MODELS for line in _section(name))
    return "\n".join([INTRODUCTION, *_fields(), *engines]) + "\n"


def _fields() -> Iterator[str]:
    """Fields of every experiment, and of the sections that are not one engine's."""
    not_here = {*SECTIONS, *MODELS, "engine_options"}
    names = [name for name in ExperimentConfig.model_fields if name not in not_here]
    yield "\n## Fields\n"
    yield from _table(ExperimentConfig, names)
    for section, model in SECTIONS.items():
        yield f"\n## `{section}`\n\n{(model.__doc__ or '').splitlines()[0]}\n"
        yield from _table(model, list(model.model_fields))


def _table(model: type[BaseModel], names: Sequence[str]) -> Iterator[str]:
    yield "| option | allowed | |"
    yield "| --- | --- | --- |"
    yield from (_row(model, field) for field in names)


def _section(name: str) -> Iterator[str]:
    model = model_of(name)
    yield f"\n## `{name}`"
    for group in _groups(model):
        names = [field for field in group.__annotations__ if field in model.model_fields]
        yield f"\n### {group.__name__}\n\n{(group.__doc__ or '').splitlines()[0]}\n"
        yield from _table(model, names)


def _groups(model: type[Section]) -> list[type[Section]]:
    """The groups of *model*, in the order in which its fields are."""
    return [base for base in reversed(model.__mro__) if _is_group(base, model)]


def _is_group(base: type, model: type[Section]) -> bool:
    return base is not model and base.__module__.startswith(model.__module__)


def _row(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    allowed = _allowed(model, name)
    default = "" if field.is_required() else field.get_default(call_default_factory=True)
    default = f" Default: `{default}`." if default not in (None, "", {}) else ""
    meaning = (field.description or "").replace("``", "`").replace("\n", " ")
    return f"| `{name}` | {allowed} | {meaning}{default} |"


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation")


def _allowed(model: type[BaseModel], name: str) -> str:
    schema = _schema(model)
    text = describe(schema["properties"][name], schema.get("$defs", {}))
    text = text.removesuffix(" or None").replace("|", "\\|")
    return text if len(text) <= WIDE else text[:WIDE].rsplit(",", 1)[0] + ", …"


def main(arguments: Sequence[str]) -> int:
    """Write the document into the file given, else to standard output."""
    if arguments:
        Path(arguments[0]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
