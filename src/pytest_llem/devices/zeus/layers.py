"""Zeus's three layers of devices, opened once per process, and why one of them is not.

Zeus keeps GPUs, chip and CPUs for as long as the process lives (``zeus.device``). It numbers
GPUs as ``CUDA_VISIBLE_DEVICES`` shows them when it is first asked; here it is asked for all
of them, since which of them an experiment uses is not the meter's question, and without its
daemon, since reading a GPU needs no privilege.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llem.devices.hushed import silent
from pytest_llem.errors import MeterError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGGER = "zeus"
DAEMON = ("ZEUSD_SOCK_PATH", "ZEUSD_HOST_PORT")
HIDDEN = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", *DAEMON)
PRIVILEGES = "https://ml.energy/zeus/getting_started/#system-privileges"


class Layers(NamedTuple):
    """What Zeus gave; ``None`` where it has nothing, or nothing that may be read."""

    gpus: Any
    soc: Any
    cpus: Any
    absences: tuple[str, ...]
    """What is simply not there, in Zeus's words."""
    troubles: tuple[MeterError, ...]
    """What is there and may not be read, and what to do."""


@cache
def zeus_layers() -> Layers:
    """All that Zeus sees on this machine; asked for in silence.

    Raises:
        MissingExtraError: Zeus is not installed.
    """
    with silent(LOGGER):
        try:
            from zeus.device import get_cpus, get_gpus, get_soc
        except ImportError:
            raise MissingExtraError("zeus", "zeus") from None
        with _hidden(*HIDDEN):
            gpus = _opened(get_gpus, "GPUs")
        soc = _opened(get_soc, "system on a chip")
        cpus = _opened(get_cpus, "CPU packages")
    found = (gpus, soc, cpus)
    there = [None if isinstance(one, (str, MeterError)) else one for one in found]
    return Layers(
        gpus=there[0],
        soc=there[1],
        cpus=there[2],
        absences=tuple(one for one in found if isinstance(one, str)),
        troubles=tuple(one for one in found if isinstance(one, MeterError)),
    )


def _opened(get: Callable[[], Any], what: str) -> Any:
    """The layer, why it is not there, or what to do so that it may be read."""
    from zeus.device.cpu import ZeusCPUInitError
    from zeus.device.gpu import ZeusGPUInitError
    from zeus.device.soc import ZeusSoCInitError

    try:
        return get()
    except (ZeusCPUInitError, ZeusGPUInitError, ZeusSoCInitError) as error:
        # With a cause it is the daemon's or the driver's failure, else there is nothing.
        return trouble(what, error) if error.__cause__ else said(error)
    except Exception as error:  # noqa: BLE001 - whatever a maker's library raises
        return trouble(what, error)


def trouble(what: str, error: Exception) -> MeterError:
    """What to do about devices that are there and that Zeus may not read."""
    if isinstance(error, MeterError):
        return error
    daemon = [name for name in DAEMON if os.environ.get(name)]
    if "NoPermission" in type(error).__name__ or isinstance(error, PermissionError):
        return MeterError(
            f"Zeus may not read the {what}: {said(error)}. Start its daemon, zeusd, and set "
            f"{DAEMON[0]} ({PRIVILEGES}), or for CPU packages: sudo chmod a+r "
            "/sys/class/powercap/*/energy_uj (until the next start)."
        )
    if daemon and "zeusd" in said(error).lower():
        return MeterError(
            f"Zeus cannot read the {what} through its daemon ({daemon[0]}="
            f"{os.environ[daemon[0]]}): {said(error)}. Start zeusd, or unset {daemon[0]}."
        )
    return MeterError(
        f"Zeus cannot open the {what}: {type(error).__name__}: {said(error)}. Look at what "
        "`python -m zeus.show_env` says, or take another meter."
    )


def said(error: Exception) -> str:
    """The first line of an error, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """The environment without some of its variables."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
