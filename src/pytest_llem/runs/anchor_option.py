"""The option for anchors; apart, since it is imported whenever pytest starts."""

from __future__ import annotations

ANCHORS = "--llem-anchors"
ANCHORS_HELP = (
    "measure fixed loops at the start, in the middle and at the end of the session, so that what "
    "the day does to the devices can be told from the change: where gates or written baselines "
    "make use of it and energy is measured (auto, the default), always (on), or never (off)"
)
