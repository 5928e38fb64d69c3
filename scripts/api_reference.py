"""The public names as a document: ``python scripts/api_reference.py [FILE]``."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from public_api import public_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from public_api import Member, Public

FILE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
WIDE = 100
INTRODUCTION = """# The library

Written by `python scripts/api_reference.py` from the code. All of it can be imported from `pytest_llem`, which imports
nothing before it is asked for; [compatibility.md](compatibility.md) says what may change. Errors are told by the
docstrings in full (`help(pytest_llem.run_study)`), and all derive from `LlemError`.

```python
from pathlib import Path

from pytest_llem import judge_run, run_study, study_points

study = study_points("bench/quant.llem.yaml", overrides=["batch_size=8"])
done = run_study(study)
for one in judge_run(done.run, study.gates):
    print(one.name, [judgement.verdict for judgement in one.judgements])
```
"""


def reference() -> str:
    """The document."""
    parts = [INTRODUCTION]
    for section, names in groupby(public_names(), key=lambda one: one.section):
        parts.append(f"## {section}\n")
        parts += [text for one in names for text in _name(one)]
    return "\n".join(parts).rstrip() + "\n"


def _name(one: Public) -> Iterator[str]:
    yield f"### `{one.name}`\n"
    if not one.is_class:
        yield f"```python\n{_wrapped(one.signature)}\n```\n"
    if one.said:
        yield f"{one.said}\n"
    if one.members:
        yield "\n".join(_member(member) for member in one.members) + "\n"


def _member(member: Member) -> str:
    said = f": {member.said}" if member.said else ""
    return f"- `{member.signature}`{said}"


def _wrapped(signature: str) -> str:
    """One line, or a line for each argument."""
    if len(signature) <= WIDE:
        return signature
    opening, closing = signature.index("("), signature.rindex(")")
    arguments = _split(signature[opening + 1 : closing])
    lines = "".join(f"    {one},\n" for one in arguments)
    return f"{signature[:opening]}(\n{lines}{signature[closing:]}"


def _split(arguments: str) -> list[str]:
    """At commas that stand in no brackets."""
    found, depth = [""], 0
    for sign in arguments:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            found.append("")
        else:
            found[-1] += sign
    return [one.strip() for one in found]


def main(arguments: list[str]) -> None:
    """Write the document."""
    file = Path(arguments[0]) if arguments else FILE
    file.write_text(reference(), encoding="utf-8")
    print(file)


if __name__ == "__main__":
    main(sys.argv[1:])
