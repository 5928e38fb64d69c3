"""Importing what a reference names."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import ComponentError, LlemError

if TYPE_CHECKING:
    from pytest_llem.components.component import Component


def resolve(reference: str) -> Any:
    """The object that a ``"module:attribute"`` string names."""
    module, _, attribute = reference.partition(":")
    return reduce(getattr, attribute.split("."), importlib.import_module(module.strip()))


def imported(component: Component) -> Any:
    """What the reference of *component* names.

    Raises:
        ComponentError: it cannot be imported, whatever its modules raise; the message says whose
            it is.
    """
    module, colon, attribute = component.reference.partition(":")
    if not (module.strip() and colon and attribute.strip()):
        raise ComponentError(
            f"{component} names no object: its entry point must read module:attribute. "
            f"Tell the authors of {component.owner}."
        )
    try:
        return resolve(f"{module}:{attribute.strip()}")
    except LlemError:
        raise
    except (Exception, SystemExit) as error:
        raise ComponentError(
            f"{component} cannot be imported: {type(error).__name__}: {error}. "
            f"Install what it lacks, reinstall {component.distribution or 'it'}, or uninstall it."
        ) from error
