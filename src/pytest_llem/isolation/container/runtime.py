"""Podman or Docker: which of them works here, the images it has, the containers it left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.container.owner import is_orphan

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL = "pytest-llem"
OWNER_LABEL = "pytest-llem.owner"
ANSWER_S = 60.0
KINDS = ("podman", "docker")
VERSION = {
    "podman": "{{.Version.Version}} {{.Host.Security.Rootless}} {{len .Host.IDMappings.UIDMap}}",
    "docker": "{{.ServerVersion}} {{.SecurityOptions}}",
}
"""What ``info`` is asked: the version, and something that says whether it runs without root;
of Podman also how many ranges of user ids it may give out."""
HINTS = ("Run '", "See '", "Usage:", "errors pretty printing")
"""How lines begin that follow an error and do not say what it is."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image on this machine."""

    name: str
    """As it was asked for."""
    id: str
    """Digest of its configuration."""
    digest: str | None
    """Digest of its content in a registry; ``None`` if it was built here."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that works."""

    kind: str
    """``podman`` or ``docker``."""
    command: tuple[str, ...]
    """What its subcommands are appended to."""
    version: str
    rootless: bool
    single_user: bool = False
    """Whether it may give out no user ids but the one of who started it."""

    @property
    def name(self) -> str:
        """Such as ``podman 5.4.0``."""
        return f"{self.kind} {self.version}"

    def image(self, name: str, *, pull: bool) -> Image:
        """The image called *name*, fetched only if *pull*.

        Raises:
            IsolationError: it is not there.
        """
        found = self._inspect(name)
        if found is None and pull:
            done = self.run("pull", name, timeout_s=None)
            if done.returncode:
                raise IsolationError(f"{self.kind} cannot pull {name}: {_end(done)}")
            found = self._inspect(name)
        if found is None:
            raise IsolationError(
                f"there is no image {name} on this machine, and none is fetched unless asked. "
                f"Fetch it with: {self.kind} pull {name}; or set pull = true in "
                "[tool.llem.container]"
            )
        return found

    def _inspect(self, name: str) -> Image | None:
        form = '{{.Id}} {{if .RepoDigests}}{{json (index .RepoDigests 0)}}{{else}}""{{end}}'
        done = self.run("image", "inspect", "--format", form, name)
        if done.returncode:
            return None
        identity, _, digest = done.stdout.strip().partition(" ")
        reference = json.loads(digest)
        registered = "@" in reference and not reference.startswith("localhost/")
        return Image(
            name,
            f"sha256:{identity.removeprefix('sha256:')}",
            reference.rpartition("@")[2] if registered else None,
        )

    def remove(self, containers: Sequence[str]) -> None:
        """End *containers* and remove them; those that are gone already are no error."""
        at_once = ("--time", "0") if self.kind == "podman" else ()
        for container in containers:
            with contextlib.suppress(IsolationError):
                self.run("rm", "--force", *at_once, container)

    def remove_orphans(self) -> list[str]:
        """Remove what dead pytest processes of this machine left; the ids of it."""
        form = (
            '{{.ID}} {{index .Labels "%s"}}' if self.kind == "podman" else '{{.ID}} {{.Label "%s"}}'
        )
        listing = ["ps", "--all", "--no-trunc", "--filter", f"label={LABEL}"]
        done = self.run(*listing, "--format", form % OWNER_LABEL)
        found = [line.partition(" ") for line in done.stdout.splitlines()]
        orphans = [container for container, _, owner in found if is_orphan(owner.strip())]
        self.remove(orphans)
        return orphans

    def run(
        self, *arguments: str, timeout_s: float | None = ANSWER_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a subcommand.

        Raises:
            IsolationError: it did not answer.
        """
        return _run([*self.command, *arguments], timeout_s)


def find_runtime(wanted: str, arguments: Sequence[str]) -> Runtime:
    """The runtime called *wanted*, or the first one that works if that is ``auto``.

    Args:
        wanted: ``auto``, ``podman`` or ``docker``.
        arguments: arguments before its subcommand.

    Raises:
        IsolationError: none works; the message says why not.
    """
    problems = []
    for kind in KINDS if wanted == "auto" else (wanted,):
        found = _working(kind, arguments)
        if isinstance(found, Runtime):
            return found
        problems.append(f"{kind}: {found}")
    raise IsolationError(f"no container runtime works here. {'; '.join(problems)}")


def _working(kind: str, arguments: Sequence[str]) -> Runtime | str:
    path = shutil.which(kind)
    if path is None:
        return f"not installed (there is no {kind} on PATH)"
    command = (path, *arguments)
    try:
        done = _run([*command, "info", "--format", VERSION[kind]], ANSWER_S)
    except IsolationError as error:
        return str(error)
    version, _, rest = done.stdout.strip().partition(" ")
    if done.returncode or not version:
        said = _end(done)
        if "permission denied" in said.lower():
            return (
                f"you may not use it ({said}). Become a member of its group, or run it without root"
            )
        return f"does not work ({said})"
    rootless = os.geteuid() != 0 if kind == "podman" else "rootless" in rest
    return Runtime(kind, command, version, rootless, rootless and rest.endswith(" 1"))


def _run(command: Sequence[str], timeout_s: float | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - the runtime's own subcommands
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise IsolationError(f"{command[0]} cannot be started: {error}") from error
    except subprocess.TimeoutExpired:
        raise IsolationError(f"{command[0]} did not answer in {timeout_s:g} s") from None


def _end(done: subprocess.CompletedProcess[str]) -> str:
    """What a command said last of what went wrong."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    telling = [line.strip() for line in lines if line.strip() and not line.startswith(HINTS)]
    return telling[-1] if telling else f"status {done.returncode}"
