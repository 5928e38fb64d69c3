"""What every test directory needs: ``pytester``, which runs pytest inside a test."""

from __future__ import annotations

pytest_plugins = ["pytester"]
