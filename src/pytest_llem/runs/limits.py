"""How long an experiment may take, and wait, where nothing else is asked for."""

from __future__ import annotations

TIMEOUT_S = 1800.0
"""Of one experiment."""
LOCK_TIMEOUT_S = 14400.0
"""Four hours: as the last of eight that queue for one device, each of them using up
:data:`TIMEOUT_S`, one waits for three and a half."""
