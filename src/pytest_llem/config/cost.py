"""Prices and the grid as somebody declares them: ``cost`` of a project, of a user, of options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from pytest_llem.config.layers.project import COST, read_user_file
from pytest_llem.config.model import Model
from pytest_llem.config.problems import problems_of
from pytest_llem.errors import ConfigError
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST = 1e9
OPTIONS = "options"
"""Who declared what an option, or a caller, gives."""


class Tariff(Model):
    """What energy and devices cost. Nothing has a default: ``None`` was not declared."""

    currency: str | None = Field(default=None, pattern=r"^\S{1,8}$")
    """Of the prices, such as ``EUR``."""
    price_per_kwh: float | None = Field(default=None, ge=0, le=MOST)
    """Of electricity, in the currency."""
    price_per_gpu_hour: float | None = Field(default=None, ge=0, le=MOST)
    """Of renting one GPU, in the currency."""
    grid_gco2e_per_kwh: float | None = Field(default=None, ge=0, le=MOST)
    """Carbon intensity of the grid, in grams of CO2 equivalent."""
    pue: float | None = Field(default=None, ge=1, le=100)
    """Power usage effectiveness: energy of the building for each joule of its computers
    (ISO/IEC 30134-2)."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A tariff, and who declared each part of it."""

    tariff: Tariff
    origins: dict[str, str]
    """By field: a file, or ``options``. What was not declared is not in it."""


def declared_tariff(
    project: Path, environ: Mapping[str, str], given: Mapping[str, Any] | None = None
) -> Declared:
    """What was declared, the later winning field by field: user, project, *given*.

    Args:
        project: directory of ``pyproject.toml``, which need not exist.
        environ: environment of this process, which says where the user's file is.
        given: as options have it; ``None`` says nothing.

    Raises:
        ConfigError: something cannot be, and where it is said; or a price has no currency.
    """
    user, own = read_user_file(environ), read_llem_table(project)
    layers = [
        (user.file if user is not None else "", user.value.get(COST) if user is not None else None),
        (f"[tool.llem.{COST}] in {own.file}", own.table.get(COST)),
        (OPTIONS, {name: value for name, value in (given or {}).items() if value is not None}),
    ]
    said: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for where, table in layers:
        tariff = _tariff(table, where)
        said |= tariff
        origins |= dict.fromkeys(tariff, where)
    if "currency" not in said and (prices := [name for name in said if name.startswith("price")]):
        raise ConfigError(
            f"{prices[0]} = {said[prices[0]]:g} ({origins[prices[0]]}) has no currency. Declare it "
            'beside the price: currency = "EUR".'
        )
    return Declared(Tariff.model_validate(said), origins)


def _tariff(table: object, where: str) -> dict[str, Any]:
    """What *table* declares.

    Raises:
        ConfigError: it declares what cannot be.
    """
    if table is None:
        return {}
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: {COST} must be a table, such as: price_per_kwh = 0.3")
    try:
        return Tariff.model_validate(table).model_dump(exclude_none=True)
    except ValidationError as error:
        problems = "; ".join(str(problem) for problem in problems_of(error, Tariff))
        raise ConfigError(f"{where}: {problems}") from None
