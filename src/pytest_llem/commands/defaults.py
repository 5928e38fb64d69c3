"""Where commands look by default."""

from __future__ import annotations

from pathlib import Path

BASELINES = Path("baselines")
RUNS = Path(".llem")
