"""The devices of a server that runs already: nobody but its user knows which they are."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_llem.config.traffic import SERVER
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.meter import Device

HOW = (
    "Say on which it runs: device=cpu, or GPUs by their UUIDs or, as cuda:N, by the numbers of "
    "nvidia-smi, with commas between."
)


def server_port(config: ExperimentConfig) -> int | None:
    """Where the server of *config* listens; ``None`` if there is none but what is started here.

    Raises:
        ConfigError: it runs on another machine, or cannot be told where.
    """
    if config.backend != SERVER or config.openai.command is not None:
        return None
    url = config.openai.base_url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"openai.base_url={url!r} is no address: {error}.") from None
    if config.device == "auto" and not _is_here(host):
        raise ConfigError(
            f"the server at {url} is not on this machine, whose devices are read. Run pytest where "
            f"the server runs. If it is here after all, as in a container: {HOW[0].lower()}{HOW[1:]}"
        )
    return port or (443 if parts.scheme == "https" else 80)


def declared_gpus(config: ExperimentConfig, gpus: Sequence[Device]) -> list[Device]:
    """The GPUs that ``device`` declares, or the only one where it declares nothing.

    Raises:
        ConfigError: one of them is not there, or there are several to choose from.
    """
    if config.device == "cpu":
        return []
    if config.device in {"auto", "cuda"}:
        if len(gpus) > 1:
            listed = ", ".join(f"{gpu.uuid} ({gpu.name})" for gpu in gpus)
            raise ConfigError(
                f"it cannot be told which of {len(gpus)} GPUs the server at {config.openai.base_url} "
                f"runs on. {HOW} There are: {listed}."
            )
        return list(gpus)
    return [_found(name.strip(), gpus) for name in config.device.split(",")]


def _found(name: str, gpus: Sequence[Device]) -> Device:
    number = name.removeprefix("cuda:")
    if name.startswith("cuda:") and number.isdecimal():
        found = [gpu for gpu in gpus if gpu.index == int(number)]
    else:
        found = [gpu for gpu in gpus if name and gpu.uuid.startswith(name)]
    if len(found) != 1:
        listed = ", ".join(f"{gpu.uuid} (cuda:{gpu.index})" for gpu in gpus) or "none"
        raise ConfigError(
            f"device={name!r} is {'several' if found else 'none'} of the GPUs here: {listed}. {HOW}"
        )
    return found[0]


def _is_here(host: str) -> bool:
    """Whether *host* is an address of this machine: one that a socket can be bound to."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, *_, address in found:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as one:
                one.bind(address)
        except OSError:
            continue
        return True
    return False
