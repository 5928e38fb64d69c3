"""What becomes of a difference between two fingerprints, field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pytest_llem.baselines.fingerprint import Fingerprint
from pytest_llem.errors import ConfigError
from pytest_llem.registry import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

Choice = Literal["must-match", "warn", "ignore"]
"""A difference makes the sides incomparable, is named in the verdict, or is passed over."""
FIXED = frozenset({"scope", "method", "work", "workload", "totals", "beside"})
"""What no comparison makes sense without: what was read, how, for which work, and of which
scopes a total is (only rules about totals look at that). Of meters beside the first the fields
of the first hold (only rules about them look at that)."""
BY_NAME = ("packages", "engine")
"""Fields with members of their own, such as ``packages.torch``."""
CARDS = "device_uuids"
_TABLE = "[tool.llem.baselines.match]"


@dataclass(frozen=True, slots=True)
class Policy:
    """Choices that differ from the defaults, by field."""

    table: Mapping[str, Choice] = field(default_factory=lambda: MappingProxyType({}))

    def choice(self, name: str, default: Choice) -> Choice:
        """What holds for the field *name*; a member follows its table where nothing names it."""
        if name in self.table:
            return self.table[name]
        return self.table.get(name.partition(".")[0], default)


DEFAULT = Policy()


def policy(table: Mapping[str, Choice]) -> Policy:
    """The policy that *table* declares.

    Raises:
        ConfigError: there is no such field, or it always has to match.
    """
    known = Fingerprint.model_fields.keys()
    for name, choice in table.items():
        top, dot, _ = name.partition(".")
        if top not in known or (dot and top not in BY_NAME):
            fields = [*sorted(known), *(f"{one}.NAME" for one in BY_NAME)]
            raise ConfigError(
                f"{_TABLE}: {name!r} is no field of a fingerprint. {suggest(name, fields)}"
            )
        if top in FIXED and choice != "must-match":
            raise ConfigError(
                f"{_TABLE}: {name} has to match always; without, figures would not be of the same thing."
            )
    return Policy(dict(table))
