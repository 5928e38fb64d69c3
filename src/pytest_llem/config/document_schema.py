"""JSON Schemas (draft 2020-12) of documents that carry their version, and the command that writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class WithoutFieldTitles(GenerateJsonSchema):
    """Leaves out titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        return False


def document_schema(model: type[BaseModel], name: str, version: int, title: str) -> dict[str, Any]:
    """The schema of a document that is a *model*; its ``schema_version`` has to be there."""
    schema = model.model_json_schema(mode="serialization", schema_generator=WithoutFieldTitles)
    required = ["schema_version", *schema.get("required", [])]
    return titled({**schema, "required": required}, name, version, title)


def titled(schema: Mapping[str, Any], name: str, version: int, title: str) -> dict[str, Any]:
    """*schema* with what it is of."""
    return {
        "$schema": _DIALECT,
        "$id": f"urn:pytest-llem:{name}:v{version}",
        **schema,
        "title": f"{title} (pytest-llem, version {version})",
    }


def file_name(name: str, version: int) -> str:
    """The file in ``schemas/`` of a document."""
    return f"{name}.v{version}.schema.json"


def write_schemas(directory: Path, schemas: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Write *schemas*, by the names of their files, into *directory* and return the files.

    Raises:
        ConfigError: one of them cannot be written.
    """
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, schema in schemas.items():
            text = json.dumps(schema, indent=2, ensure_ascii=False)
            (directory / name).write_text(f"{text}\n", encoding="utf-8")
            written.append(directory / name)
    except OSError as error:
        raise ConfigError(
            f"cannot write schemas into {directory}: {error.strerror or error}. Name a directory "
            "that can be written."
        ) from error
    return written


def main(arguments: Sequence[str], schemas: Mapping[str, Mapping[str, Any]]) -> int:
    """Write *schemas* into the directory that *arguments* name, else ``schemas``."""
    try:
        written = write_schemas(Path(arguments[0] if arguments else "schemas"), schemas)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in written)
    return 0
