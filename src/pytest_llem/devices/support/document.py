"""The matrix as a document: ``python -m pytest_llem.devices.support.document [FILE]``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.devices.support.matrix import STATUSES, entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.devices.support.matrix import Entry

INTRODUCTION = """# Hardware

Written by `python -m pytest_llem.devices.support.document docs/hardware.md` from
`src/pytest_llem/devices/support/hardware.toml`. `llem doctor` looks a machine up in it ([doctor.md](doctor.md)), and
`make gpu-check` asks a card what nobody has published ([gpu-check.md](gpu-check.md)).

*Confirmed* means run on such hardware, with evidence in this repository. Nothing else is called so, however likely:
**no GPU has been confirmed with this version yet.** Meters, scopes and methods are explained in
[measurement.md](measurement.md#meters)."""
MEANINGS = {
    "confirmed": "It was run on such hardware.",
    "may work": "It was built for it, from documents or over stand-ins, and has not been seen there.",
    "will not work": "It is refused, or nothing can read it.",
}
HEAD = """| device | meter | scope | method | privileges | as of | evidence |
|---|---|---|---|---|---|---|"""


def document() -> str:
    """The document, one table a status."""
    return "\n".join([INTRODUCTION, *(line for one in STATUSES for line in _section(one))]) + "\n"


def _section(status: str) -> Iterator[str]:
    yield f"\n## {status.capitalize()}\n\n{MEANINGS[status]}\n"
    yield HEAD
    yield from (_row(entry) for entry in entries() if entry.status == status)


def _row(entry: Entry) -> str:
    evidence = ", ".join(f"[{Path(path).name}](../{path})" for path in entry.evidence)
    source = f" ({entry.source})" if entry.source else ""
    cells = (
        f"**{entry.device}.** {entry.note}{source}",
        f"`{entry.meter}`" if entry.meter != "none" else "none",
        entry.scope,
        entry.method,
        entry.privileges,
        entry.date.isoformat(),
        evidence,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def main(arguments: Sequence[str]) -> int:
    """Write the document into the file given, else to standard output."""
    if arguments:
        Path(arguments[0]).write_text(document(), encoding="utf-8")
    else:
        sys.stdout.write(document())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
