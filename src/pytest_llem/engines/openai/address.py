"""Where a server is."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port of a URL."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        """The address that *url* names; that of its scheme where it names no port.

        Raises:
            ValueError: it names no host, or an impossible port.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("there is no host in it")
        default = 443 if parts.scheme == "https" else 80
        return cls(parts.hostname, default if parts.port is None else parts.port)


def free_port(host: str) -> int:
    """A port that nobody listens at now."""
    with socket.socket() as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])
