"""A run in brief, as JSON that ``schemas/summary.v1.schema.json`` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pytest_llem.reports.exporters.summarised import summary_of
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.reports.exporters.exporter import Exported


class JsonExporter:
    """Experiments with their metrics, intervals, units and verdicts; ``null`` is unknown."""

    name: ClassVar[str] = "json"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write the run that *experiments* are of, in brief, to *path*.

        Raises:
            OSError: the file cannot be written.
        """
        text = summary_of(experiments).model_dump_json(indent=2)
        with replacing(path) as file:
            file.write(f"{text}\n".encode())
