"""A container image made in no time: empty folders, into which this machine's Python is mounted."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest_llem

IMAGE = "localhost/pytest-llem-test:1"
CANDIDATES: list[tuple[list[str], list[str]]] = [
    ([], []),
    (  # what a small virtual machine or a container allows
        ["--runtime=runc", "--cgroup-manager=cgroupfs"],
        ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"],
    ),
]


@dataclass(frozen=True)
class Boxed:
    """How containers are started on this machine."""

    runtime_arguments: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    def podman(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["podman", *self.runtime_arguments, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )

    def containers(self) -> list[str]:
        """Ids of the containers with our last label, ended ones too."""
        label = self.arguments[-1].removeprefix("--label=")
        done = self.podman("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}")
        return done.stdout.split()

    def table(self, *engines: str, **options: object) -> str:
        """Sections of ``pyproject.toml`` by which these engines run in the image."""
        container = {
            "runtime_arguments": self.runtime_arguments,
            "arguments": self.arguments,
            "mounts": [f"{path}:{path}:ro" for path in python_folders()],
            "shm_size": "64m",
            **options,
        }
        lines = ["[tool.llem.container]"]
        lines += [f"{name} = {_toml(value)}" for name, value in container.items()]
        for engine in engines:
            lines += [f"[tool.llem.engines.{engine}]", f'image = "{IMAGE}"']
            lines += [f'image_python = "{sys.executable}"']
        return "\n".join(lines) + "\n"


def boxed() -> Boxed | str:
    """How containers can be started here, or why they cannot."""
    if shutil.which("podman") is None:
        return "podman is not installed (scripts/need-podman.sh installs it as root on Debian)"
    said = ""
    for runtime_arguments, arguments in CANDIDATES:
        found = Boxed(runtime_arguments, arguments)
        if found.podman("image", "exists", IMAGE).returncode:
            _import(found)
        volume = ["--volume", "/usr:/usr:ro", "--network=none"]
        done = found.podman("run", "--rm", *volume, *arguments, IMAGE, "/usr/bin/env")
        if not done.returncode:
            return found
        said = done.stderr
    return f"podman cannot run containers here: {said.strip()[-300:]}"


def python_folders() -> list[Path]:
    """What the interpreter of these tests is made of, outermost folders only."""
    wanted = {Path("/usr"), Path(sys.prefix), Path(sys.base_prefix)}
    wanted |= {Path(pytest_llem.__file__).parents[1]}
    wanted |= {Path(entry) for entry in sys.path if "site-packages" in entry}
    wanted = {path for path in wanted if path.is_dir()}
    return sorted(
        path for path in wanted if not any(other in path.parents for other in wanted - {path})
    )


def _import(box: Boxed) -> None:
    command = ["podman", *box.runtime_arguments, "import", "--quiet", "-", IMAGE]
    subprocess.run(command, input=_root(), capture_output=True, check=False)


def _root() -> bytes:
    """A root file system without files, as an archive; ``/bin`` and the like as on this machine."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("dev", "etc", "proc", "root", "run", "sys", "tmp", "usr"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for name in ("bin", "lib", "lib64", "sbin"):
            if Path("/", name).is_symlink():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, str(Path("/", name).readlink())
                tar.addfile(entry)
    return archive.getvalue()


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"'
