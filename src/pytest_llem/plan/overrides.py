"""What the command line sets for every experiment, whatever the tests say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.config.sections import engine_called
from pytest_llem.errors import ConfigError
from pytest_llem.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llem.config.layers.layer import Given
    from pytest_llem.config.leaves import Leaf

FILE_OF_WORKLOAD = "workload.path"
"""Found from where the command was given, not from the test file."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Values given by options; they win over markers and parameters."""

    backends: tuple[str, ...] = ()
    """Engines that every experiment runs on; empty leaves them to the tests."""
    leaves: Mapping[str, Leaf] = field(default_factory=dict)
    """Values by path; a single backend is among them."""

    def given(self) -> Iterator[Given]:
        """The strongest layer."""
        from pytest_llem.config.layers.layer import Origin, from_layer

        return from_layer(self.leaves.values(), Origin("option", by="command line"))

    def __bool__(self) -> bool:
        return bool(self.backends or self.leaves)


def overrides_of(
    backends: Sequence[str], model: str | None, assignments: Sequence[str]
) -> Overrides:
    """Overrides from ``--llem-backend``, ``--llem-model`` and ``--llem-set``.

    Raises:
        ConfigError: an option that cannot be understood, names no field, gives
            an impossible value, or sets what another option sets already.
    """
    names = backends_of(backends)
    if not (names or model is not None or assignments):
        return Overrides()
    leaves: dict[str, Leaf] = {}
    for assignment in assignments:
        leaves.update(_leaves_of_assignment(assignment))
    for option, path, given in (
        ("--llem-backend", "backend", bool(names)),
        ("--llem-model", "model", model is not None),
    ):
        if given and path in leaves:
            raise ConfigError(f"{path} is set twice, by {option} and by --llem-set. Drop one.")
    if model is not None:
        leaves["model"] = _checked(model, "model", "--llem-model")
    if len(names) == 1:
        leaves["backend"] = _checked(names[0], "backend", "--llem-backend")
    elif "backend" in leaves:
        names = (str(leaves["backend"].value),)
    return Overrides(names, leaves)


def backends_of(given: Iterable[str]) -> tuple[str, ...]:
    """Names in the values of ``--llem-backend``, each once, in order.

    Raises:
        ConfigError: a name is empty.
    """
    names = [engine_called(name.strip()) for value in given for name in value.split(",")]
    if not all(names):
        raise ConfigError("--llem-backend: a name is empty. Write NAME or NAME,NAME.")
    return tuple(dict.fromkeys(names))


def _leaves_of_assignment(assignment: str) -> dict[str, Leaf]:
    path, equals, text = assignment.partition("=")
    path = path.strip()
    if path == FILE_OF_WORKLOAD and text:
        text = str(expanded(text).absolute())
    if not (path and equals):
        raise ConfigError(f"--llem-set {assignment!r}: write FIELD=VALUE, such as batch_size=4.")
    from pytest_llem.config.layers.assignment import leaves_of_text
    from pytest_llem.config.problems import Problem

    found = leaves_of_text(path, text)
    if isinstance(found, Problem):
        raise ConfigError(f"--llem-set {found}")
    return {leaf.path: leaf for leaf in found}


def _checked(value: str, path: str, option: str) -> Leaf:
    from pytest_llem.config.leaves import leaf
    from pytest_llem.config.problems import Problem

    found = leaf(path, value)
    if isinstance(found, Problem):
        raise ConfigError(f"{option}: {found}")
    return found
