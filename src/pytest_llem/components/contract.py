"""What a component has to be: the members of a protocol, of a version that is spoken here."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, get_args, get_origin, get_type_hints

from pytest_llem._version import __version__
from pytest_llem.components.loading import resolve
from pytest_llem.errors import ComponentError

if TYPE_CHECKING:
    from pytest_llem.components.component import Component

_NEEDS_ARGUMENT = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Registered(Protocol):
    """What every component states of itself, as attributes of its class."""

    name: ClassVar[str]
    """The name that it is registered under."""
    api_version: ClassVar[int]
    """Version of its kind's protocol that it was written for."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The protocol of a kind and the versions of it that are understood."""

    protocol: str
    """``module:attribute`` of the ``Protocol`` class."""
    newest: int = 1
    oldest: int = 1


def check(component: Component, found: Any, contract: Contract) -> None:
    """Hold *found*, a class, against the contract of its kind.

    Raises:
        ComponentError: it was written for another version, or lacks something; what, is named.
    """
    _check_version(component, found, contract)
    wanted = [Registered, resolve(contract.protocol)]
    problems = list(dict.fromkeys(p for one in wanted for p in problems_of(found, one)))
    stated = getattr(found, "name", None)
    if isinstance(stated, str) and stated != component.name:
        problems.append(f"its name is {stated!r}, but it is registered as {component.name!r}")
    if problems:
        raise ComponentError(
            f"{component} does not do what {contract.protocol} asks: {'; '.join(problems)}. "
            f"Upgrade {component.distribution or 'it'}, or tell its authors."
        )


def problems_of(found: Any, protocol: type) -> list[str]:
    """What *found*, a class or an object, lacks of *protocol*, one phrase a member."""
    is_class = isinstance(found, type)
    problems = []
    for name, method in vars(protocol).items():
        if name.startswith("_"):
            continue
        if inspect.isfunction(method):
            problems.append(_method_problem(found, name, method, is_class=is_class))
        elif isinstance(method, property) and not is_class and not hasattr(type(found), name):
            problems.append("" if hasattr(found, name) else f"{name} is missing")
    for name, hint in get_type_hints(protocol).items():
        if get_origin(hint) is ClassVar:
            problems.append(_attribute_problem(found, name, get_args(hint)[0]))
    return [problem for problem in problems if problem]


def _check_version(component: Component, found: Any, contract: Contract) -> None:
    version = getattr(found, "api_version", None)
    if not isinstance(version, int) or isinstance(version, bool):
        return  # told with everything else
    if version > contract.newest:
        raise ComponentError(
            f"{component} was written for version {version} of the API for {component.kind}, and "
            f"pytest-llem {__version__} knows up to {contract.newest}. "
            "Upgrade pytest-llem: pip install --upgrade pytest-llem"
        )
    if version < contract.oldest:
        owner = component.distribution or "its distribution"
        raise ComponentError(
            f"{component} was written for version {version} of the API for {component.kind}, and "
            f"pytest-llem {__version__} needs at least {contract.oldest}. "
            f"Upgrade {owner}: pip install --upgrade {owner}"
        )


def _method_problem(found: Any, name: str, wanted: Any, *, is_class: bool) -> str:
    own = getattr(found, name, None)
    if own is None:
        return f"{name}() is missing"
    if not callable(own):
        return f"{name} must be a method, not {type(own).__name__}"
    raw = inspect.getattr_static(found, name)
    bound = not is_class or isinstance(raw, staticmethod | classmethod)
    count = sum(p.kind in _NEEDS_ARGUMENT for p in inspect.signature(wanted).parameters.values())
    try:
        inspect.signature(own).bind(*[None] * (count - bound))
    except TypeError:
        return f"{name}() does not take {_counted(count - 1)}"
    except ValueError:
        return ""  # written in another language, which tells nothing
    return ""


def _attribute_problem(found: Any, name: str, kind: Any) -> str:
    if not hasattr(found, name):
        return f"{name} is missing"
    value = getattr(found, name)
    if isinstance(kind, type) and not _is_instance(value, kind):
        return f"{name} must be of type {kind.__name__}, not {type(value).__name__}"
    return ""


def _is_instance(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _counted(count: int) -> str:
    return {0: "no arguments", 1: "1 argument"}.get(count, f"{count} arguments")
