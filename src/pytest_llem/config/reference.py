"""All options of the engines as a document: ``python -m pytest_llem.config.reference [FILE]``."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.config.problems import describe
from pytest_llem.config.sections import MODELS, model_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.config.engines.section import Section

INTRODUCTION = """# Options of the engines

Written by `python -m pytest_llem.config.reference docs/options.md`; [engines.md](engines.md) says how
they are set and what becomes of them. Nothing set leaves a choice to the engine, unless a default is
named. `extra` takes what is not here."""
WIDE = 90
"""Characters of an allowed value beyond which only its beginning is shown."""


def reference() -> str:
    """The document, one table a group of options."""
    return "\n".join([INTRODUCTION, *(line for name in MODELS for line in _section(name))]) + "\n"


def _section(name: str) -> Iterator[str]:
    model = model_of(name)
    yield f"\n## `{name}`"
    for group in _groups(model):
        names = [field for field in group.__annotations__ if field in model.model_fields]
        yield f"\n### {group.__name__}\n\n{(group.__doc__ or '').splitlines()[0]}\n"
        yield "| option | allowed | |"
        yield "| --- | --- | --- |"
        yield from (_row(model, field) for field in names)


def _groups(model: type[Section]) -> list[type[Section]]:
    """The groups of *model*, in the order in which its fields are."""
    return [base for base in reversed(model.__mro__) if _is_group(base, model)]


def _is_group(base: type, model: type[Section]) -> bool:
    return base is not model and base.__module__.startswith(model.__module__)


def _row(model: type[Section], name: str) -> str:
    field = model.model_fields[name]
    allowed = _allowed(model, name)
    default = "" if field.default is None else f" Default: `{field.default}`."
    meaning = (field.description or "").replace("``", "`").replace("\n", " ")
    return f"| `{name}` | {allowed} | {meaning}{default} |"


@cache
def _schema(model: type[Section]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation")


def _allowed(model: type[Section], name: str) -> str:
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
