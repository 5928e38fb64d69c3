"""Tests depend on neither the speed of the machine nor on what is reachable from it."""

from __future__ import annotations

import os

from hypothesis import settings

# Read when the hub's library is imported, so it has to be set before any test module is.
os.environ["HF_HUB_OFFLINE"] = "1"

# A deadline is a wall-clock time, and a busy machine would miss it.
settings.register_profile("pytest-llem", deadline=None, print_blob=True)
settings.load_profile("pytest-llem")
