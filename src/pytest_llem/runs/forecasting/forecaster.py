"""What each experiment of a grid is expected to take, from the best that there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.plan.outlook import Forecast

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.baselines.store import Baselines
    from pytest_llem.plan.memory.facts import ModelFacts
    from pytest_llem.plan.memory.fit import Fit
    from pytest_llem.plan.memory.fits import Fits
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.forecasting.earlier import EarlierRuns


class Expected:
    """Forecasts: earlier runs first, then baselines, then a model of the machine."""

    def __init__(
        self,
        fits: Fits,
        earlier: EarlierRuns | None,
        baselines: Baselines | None,
        hardware_of: Callable[[Point], str | None],
        *,
        modelled: bool,
    ) -> None:
        """Tell by what is given.

        Args:
            fits: knows models and devices.
            earlier: stored results; ``None`` if there are none.
            baselines: ``None`` if there are none.
            hardware_of: class of the hardware that an experiment would be measured on here.
            modelled: whether there is a model of any device of this session.
        """
        self._fits = fits
        self._earlier = earlier
        self._baselines = baselines
        self._hardware_of = hardware_of
        self._modelled = modelled

    def hopeless(self) -> str | None:
        """Why nothing can be foretold; ``None`` if something may."""
        if self._modelled or self._baselines is not None or (self._earlier and self._earlier.any()):
            return None
        return "there is no earlier run and no baseline, and no model of these devices"

    def of(self, point: Point) -> Forecast:
        """The forecast of a point that can be run."""
        if self.hopeless() is not None or point.config is None:
            return Forecast("unknown", "no earlier run, no baseline, no model of these devices")
        fit = self._fits.of(point.config)
        gpus = None if fit.room is None else fit.room.devices * fit.room.is_gpu
        return replace(self._found(point, fit), gpus=gpus)

    def _found(self, point: Point, fit: Fit) -> Forecast:
        weights = None if fit.footprint is None else fit.footprint.weights_bytes
        found = None
        if self._earlier is not None:
            found = self._earlier.forecast(point, fit.room, weights)
        if found is None and self._baselines is not None:
            from pytest_llem.runs.forecasting import baselined

            hardware = self._hardware_of(point)
            found = baselined.forecast(point, self._baselines, hardware, weights)
        return found if found is not None else self._by_model(point, fit)

    def _by_model(self, point: Point, fit: Fit) -> Forecast:
        config = point.config
        if config is None or not self._modelled:
            return Forecast("unknown", "no earlier run, no baseline, no model of these devices")
        facts: ModelFacts | str = self._fits.facts(config.model, config.revision)
        if isinstance(facts, str):
            return Forecast("unknown", facts)
        from pytest_llem.runs.forecasting import modelled

        found = modelled.forecast(config, facts, fit)
        return Forecast("unknown", found) if isinstance(found, str) else found
