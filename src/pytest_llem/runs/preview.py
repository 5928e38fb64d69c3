"""What is known of experiments that have not run: baselines, memory, what they will take.

Where there are no baseline files at all, which is common in a preview, nothing is
imported to read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import BaselineError, LlemError
from pytest_llem.paths import is_folder
from pytest_llem.plan.outlook import AllAre, Outlook
from pytest_llem.runs.fitting import StatedDevice, fits_on, rooms_of
from pytest_llem.runs.forecasting.forecaster import Expected
from pytest_llem.runs.limits import LOCK_TIMEOUT_S, TIMEOUT_S
from pytest_llem.runs.standing import standing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from pytest_llem.baselines.store import Baselines
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.layers.standing import Standing
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.fitting import Rooms
    from pytest_llem.runs.forecasting.earlier import EarlierRuns
    from pytest_llem.runs.observation import Instruments
    from pytest_llem.runs.settings import RunSettings

OPTION, DEFAULT = "llem_baselines", "baselines"
_SYSTEM = Path("/")
USUAL: Mapping[str, object] = {
    "llem_repeats": None,
    "llem_max_repeats": None,
    "llem_timeout": TIMEOUT_S,
    "llem_lock_timeout": LOCK_TIMEOUT_S,
    "llem_memory_limit": None,
    "llem_export": [],
}
"""Options whose values may make no sense, as they are where nobody gives them."""


def outlook(config: pytest.Config) -> Outlook:
    """What is known of this session's experiments before they are run.

    Raises:
        pytest.UsageError: an option makes no sense.
    """
    import pytest

    here, root = config.invocation_params.dir, config.rootpath
    try:
        if any(config.getoption(name) != usual for name, usual in USUAL.items()):
            _settings(config)  # which a dry run needs no more of than that they make sense
        option = config.getoption("llem_device_memory")
        rooms = rooms_of(_stated(option), standing_of(config))
        return _outlook(
            rooms,
            Hardware(lambda: _settings(config), rooms.stated),
            _baselines(
                _given(here, config.getoption(OPTION)) or root / DEFAULT,
                config.getoption("llem_baseline_from"),
                here,
            ),
            _given(here, config.getoption("llem_dir")) or root / ".llem",
        )
    except LlemError as error:
        raise pytest.UsageError(str(error)) from None


def _settings(config: pytest.Config) -> RunSettings:
    from pytest_llem.runs.options import settings_of

    return settings_of(config)


def outlook_of(
    settings: RunSettings, device_memory: str | None = None, standing: Standing | None = None
) -> Outlook:
    """The same of experiments that would be run as *settings* say, where *standing* holds.

    Raises:
        ConfigError: *device_memory* has no size.
        BaselineError: there are no such baselines as *settings* name.
    """
    rooms = rooms_of(_stated(device_memory), standing)
    here = settings.invoked_from or settings.project
    baselines = _baselines(settings.baselines, settings.baseline_from, here)
    return _outlook(rooms, Hardware(lambda: settings, rooms.stated), baselines, settings.runs)


def _stated(device_memory: str | None) -> StatedDevice | None:
    return None if device_memory is None else StatedDevice.of(device_memory)


def _given(here: Path, option: str | None) -> Path | None:
    return here / option if option else None


def _outlook(rooms: Rooms, hardware: Hardware, baselines: Baselines | None, runs: Path) -> Outlook:
    fits = fits_on(rooms)
    earlier, modelled = _earlier(runs), rooms.modelled()
    return Outlook(
        lambda points: _states(baselines, hardware, points),
        fits,
        Expected(fits, earlier, baselines, hardware.of, modelled=modelled),
    )


def _earlier(root: Path) -> EarlierRuns | None:
    """The runs that are kept; ``None`` if there are none."""
    if not is_folder(root / "runs"):
        return None
    from pytest_llem.runs.forecasting.earlier import EarlierRuns

    return EarlierRuns(root)


class Hardware:
    """Classes of the hardware that experiments would be measured on, as baselines name them."""

    def __init__(self, settings: Callable[[], RunSettings], stated: StatedDevice | None) -> None:
        """Take a *stated* device, else look with the meters that the run would have."""
        self._settings = settings
        self._stated = stated
        self._instruments: Instruments | None = None
        self._found: dict[object, str | None] = {}

    def of(self, point: Point) -> str | None:
        """The class for *point*; ``None`` if it cannot be told."""
        config = point.config
        if config is None:
            return None
        if self._stated is not None:
            from pytest_llem.baselines.hardware import class_of

            ranks = config.tensor_parallel_size * config.pipeline_parallel_size
            return class_of([self._stated.name] * ranks, None) if self._stated.is_named else None
        key = (
            config.backend,
            config.device,
            config.tensor_parallel_size,
            config.pipeline_parallel_size,
            str(config.transformers.device_map),
        )
        if key not in self._found:
            self._found[key] = self._look(config)
        return self._found[key]

    def _look(self, config: ExperimentConfig) -> str | None:
        from pytest_llem.baselines.hardware import class_of
        from pytest_llem.results.environment.cpu import cpu_model
        from pytest_llem.runs.observation import Instruments

        try:
            if self._instruments is None:
                self._instruments = Instruments(self._settings())
            source = self._instruments.for_experiment(config).sources[0]
            names = [device.name for device in source.devices]
            return class_of(None if not source.choice.measured else names, cpu_model(_SYSTEM))
        except (LlemError, OSError):
            return None


def _baselines(directory: Path, elsewhere: str | None, here: Path) -> Baselines | None:
    """The baselines to compare with; ``None`` if there are none."""
    if elsewhere is not None:
        return _elsewhere(elsewhere, here, directory)
    if not _has_any(directory):
        return None
    from pytest_llem.baselines.store import BaselineStore

    return BaselineStore(directory)


def _has_any(directory: Path) -> bool:
    try:
        return next(directory.rglob("*.json"), None) is not None
    except OSError:  # its name is too long, or it may not be read: opening it will say so
        return True


def _elsewhere(where: str, here: Path, directory: Path) -> Baselines:
    from pytest_llem.baselines.elsewhere import source_named
    from pytest_llem.baselines.store import Baselines

    return Baselines(source_named(where, here, directory))


def _states(
    baselines: Baselines | None, hardware: Hardware, points: Sequence[Point]
) -> Mapping[str, str] | AllAre:
    """``have``, ``missing``, ``incomparable`` or ``unreadable`` for each of *points*, by identity."""
    if baselines is None:
        return AllAre("missing")
    return {point.identity: _state(baselines, hardware, point) for point in points}


def _state(baselines: Baselines, hardware: Hardware, point: Point) -> str:
    try:
        classes = baselines.hardware_of(point.group, point.identity)
    except BaselineError:
        return "unreadable"
    if not classes:
        return "missing"
    here = hardware.of(point)
    return "have" if here is None or here in classes else "incomparable"
