"""How figures of a test's own are named; for those, too, who must not load their class."""

from __future__ import annotations

QUALITY = "quality."
"""Begins their names as metrics."""
MOST = 1000
"""Figures that one experiment may record."""
NAME = r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$"
UNIT = r"^([^\s\d'\"@:,+<>=][^\s\d'\"@:,+<>=]{0,19})?$"
"""What rules can be written with."""
