"""The fork server's script: runs pytest as ``python -m pytest`` does.

It is run by its path and imports nothing of this package at first, so that pytest finds the
plugin as it would in any other process. A forked experiment leaves here, without taking
its imports apart one by one, which takes longer than the experiment's whole start.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run pytest with the arguments of this process."""
    server = os.getpid()
    if not sys.flags.safe_path:
        sys.path[0] = str(Path.cwd())
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        if os.getpid() == server:
            raise
        from pytest_llem.isolation.fork.exit import leave

        leave(leaving.code)


if __name__ == "__main__":
    main()
