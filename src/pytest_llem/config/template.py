"""A commented ``llem.yaml`` with every field and its default, written from the models."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from pytest_llem.config.effective import ADDED
from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig
from pytest_llem.config.leaves import SECTIONS
from pytest_llem.config.problems import describe
from pytest_llem.config.sections import MODELS, default_of, model_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pydantic import BaseModel

WIDTH = 96
HEAD = """\
# Defaults of every experiment, for a project (llem.yaml beside pyproject.toml) or for a user
# (~/.config/llem/llem.yaml). What is commented out is as it is built in. Variables
# (LLEM_BATCH_SIZE), markers, parameters and --llem-set win over this file.
"""


def template(engines: Collection[str] = (), *, active: bool = False) -> str:
    """The file's text; as YAML it says nothing but the defaults.

    Args:
        engines: whose options are listed one by one; other sections are named only.
        active: write the defaults as values rather than commented out. They then count as
            said by the file, and win over those of a profile or a user.
    """
    mark = "" if active else "# "
    return "\n".join([HEAD, *_fields(engines, mark)]) + "\n"


def _fields(engines: Collection[str], mark: str) -> Iterator[str]:
    schema = ExperimentConfig.model_json_schema(mode="validation")
    config = ExperimentConfig()
    for name, field in ExperimentConfig.model_fields.items():
        if name == ADDED:
            continue
        yield from _comment(field.description, "")
        if name not in SECTIONS:
            yield from _field(name, config, schema, mark, "")
        elif name in ENGINE_SECTIONS and name not in engines:
            yield f"{mark}{name}: {{}}"
        else:
            yield f"{mark}{name}:"
            yield from _section(name, mark)
        yield ""


def _section(name: str, mark: str) -> Iterator[str]:
    model = default_of(name) if name in MODELS else getattr(ExperimentConfig(), name)
    kind = model_of(name) if name in MODELS else type(model)
    schema = kind.model_json_schema(mode="validation")
    for option, field in kind.model_fields.items():
        yield from _comment(field.description, "  ")
        yield from _field(option, model, schema, mark, "  ")


def _field(
    name: str, holder: BaseModel, schema: dict[str, Any], mark: str, indent: str
) -> Iterator[str]:
    allowed = describe(schema["properties"][name], schema.get("$defs", {}))
    allowed = allowed.replace("True or False", "true or false").replace("None", "null")
    yield from _comment(f"Allowed: {allowed}.", indent)
    value = getattr(holder, name)
    yield f"{mark}{indent}{name}: {json.dumps(value)}"


def _comment(text: str | None, indent: str) -> Iterator[str]:
    plain = " ".join((text or "").replace("``", "").split())
    if plain:
        start = f"{indent}## " if not indent else f"## {indent}"
        yield from textwrap.wrap(
            plain,
            WIDTH,
            initial_indent=start,
            subsequent_indent=start,
            break_long_words=False,
            break_on_hyphens=False,
        )
