"""Run pytest as ``action.yml`` is asked to; inputs come by environment variables, never as code.

It becomes pytest, so that signals and the exit status are its own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORTS = Path(".llem/ci")
"""Where the comment and the HTML report are written, from the working directory."""
USAGE_ERROR = 4
"""pytest's own exit status for what it cannot do as asked."""


def pytest_command(inputs: Mapping[str, str]) -> list[str]:
    """The command line for *inputs*, which are those of ``action.yml``.

    Raises:
        ValueError: ``args`` cannot be split into arguments.
    """
    command = [
        *(sys.executable, "-m", "pytest"),
        "--llem-dir=.llem",
        f"--llem-baselines={inputs.get('INPUT_BASELINES') or 'baselines'}",
        f"--llem-export=github-comment:{REPORTS / 'comment.md'}",
    ]
    if inputs.get("INPUT_HTML") == "true":
        command.append(f"--llem-html={REPORTS / 'report.html'}")
    if inputs.get("INPUT_UPDATE_BASELINES") == "true":
        command.append("--llem-update-baselines")
    return [*command, *shlex.split(inputs.get("INPUT_ARGS", ""))]


def main() -> NoReturn:
    """Become pytest."""
    try:
        command = pytest_command(os.environ)
    except ValueError as error:
        print(f"::error title=pytest-llem::args of the action: {error}. Close what was opened.")
        sys.exit(USAGE_ERROR)
    shutil.rmtree(REPORTS, ignore_errors=True)  # what an earlier job said is not this one's
    print(shlex.join(command[1:]), flush=True)
    os.execv(command[0], command)  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main()
