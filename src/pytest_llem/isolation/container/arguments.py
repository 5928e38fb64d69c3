"""The arguments of ``podman run`` and ``docker run``: pure, and common to both but for GPUs."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llem.isolation.container.runtime import Image, Runtime

HOME = "/tmp"  # noqa: S108 - inside the container, where an unknown user can write
PREFIXES = (
    "HF_", "HUGGING", "LC_", "LLEM_", "MKL_", "NCCL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "PYTEST_",
    "PYTORCH_", "RAY_", "TLLM_", "TOKENIZERS_", "TORCH_", "TRANSFORMERS_", "TRTLLM_", "VLLM_",
)  # fmt: skip
NAMES = frozenset(
    {
        "COLUMNS", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING",
        "CUDA_VISIBLE_DEVICES", "FORCE_COLOR", "LANG", "LINES", "NO_COLOR", "PYTHONHASHSEED",
        "PYTHONWARNINGS", "PY_COLORS", "TERM", "TZ",
    }
)  # fmt: skip
PROXIES = frozenset(
    {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"}
)
"""Of the variables that a child inherits elsewhere, these mean the same inside a container."""

HUB_CACHES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of the host at the same path inside, or at *target*."""

    source: Path
    target: str | None = None
    read_only: bool = False

    def argument(self) -> str:
        """Value of ``--mount``, a line of comma-separated values."""
        fields = ["type=bind", f"source={self.source}", f"target={self.target or self.source}"]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(
            [*fields, "readonly"] if self.read_only else fields
        )
        return line.getvalue()


@dataclass(frozen=True, slots=True)
class Box:
    """A container as an engine's home describes it."""

    image: Image
    python: str
    network: bool = False
    shm_size: str = "8g"
    mounts: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What one child needs of the host."""

    directory: Path
    """Where it starts."""
    mounts: tuple[Mount, ...] = ()
    gpus: tuple[str, ...] = ()
    """UUIDs."""
    variables: tuple[str, ...] = ()
    """Names of environment variables."""


def run_arguments(runtime: Runtime, box: Box, needs: Needs) -> list[str]:
    """Everything up to the interpreter's own arguments.

    Variables are named only: their values are taken from the environment of the command,
    so that no secret stands in a list of processes.
    """
    arguments = ["run", "--rm", "--pull=never", f"--shm-size={box.shm_size}"]
    arguments.append("--log-driver=none")  # else the runtime keeps all that is printed as well
    arguments += _user(runtime)
    arguments += ["--security-opt", "label=disable"]  # SELinux: what is mounted is not relabelled
    if not box.network:
        arguments.append("--network=none")
    arguments += _gpus(runtime, needs.gpus)
    for mount in outermost(needs.mounts):
        arguments += ["--mount", mount.argument()]
    for volume in box.mounts:
        arguments += ["--volume", volume]
    for name in sorted(needs.variables):
        arguments += ["--env", name]
    for variable in box.environment:
        arguments += ["--env", variable]
    arguments += ["--env", f"HOME={HOME}"]
    arguments += ["--workdir", str(needs.directory), *box.arguments]
    return [*arguments, "--entrypoint", box.python, box.image.id]


def _user(runtime: Runtime) -> list[str]:
    """Have files written as the user who started pytest."""
    if runtime.kind == "podman" and runtime.rootless and not runtime.single_user:
        return ["--userns=keep-id"]
    if runtime.rootless:
        return ["--user=0:0"]  # which is the user of this host there
    return [f"--user={os.getuid()}:{os.getgid()}"]


def _gpus(runtime: Runtime, uuids: Sequence[str]) -> Iterator[str]:
    if uuids and runtime.kind == "docker":
        yield from ("--gpus", f'"device={",".join(uuids)}"')  # quoted: docker splits at commas
    elif uuids:
        for uuid in uuids:  # Container Device Interface, as nvidia-ctk cdi generate names them
            yield from ("--device", f"nvidia.com/gpu={uuid}")


def outermost(mounts: Iterable[Mount]) -> list[Mount]:
    """*mounts* without those that change nothing; of a directory asked for twice, the writable."""
    asked: dict[tuple[Path, str | None], Mount] = {}
    for mount in sorted(mounts, key=lambda mount: mount.read_only):
        asked.setdefault((mount.source, mount.target), mount)
    kept: dict[Path, Mount] = {}
    for mount in sorted(asked.values(), key=lambda mount: len(mount.source.parts)):
        around = next((kept[path] for path in mount.source.parents if path in kept), None)
        if mount.target is None and (around is None or around.read_only != mount.read_only):
            kept[mount.source] = mount
    return [*kept.values(), *(mount for mount in asked.values() if mount.target is not None)]


def passed_on(environ: Mapping[str, str], *, network: bool) -> dict[str, str]:
    """The variables that mean something inside."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIXES) or name in NAMES or (network and name in PROXIES)
    }


def model_caches(
    environ: Mapping[str, str], *, network: bool
) -> tuple[list[Mount], dict[str, str]]:
    """The Hugging Face cache and ours, as far as there are any, and variables that name them.

    Without a network nothing can be added to the former, so it is read-only.
    """
    home = Path(environ.get("HOME") or "/")
    shared = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    hub = Path(environ.get("HF_HOME") or shared / "huggingface").expanduser().absolute()
    own = Path(environ.get("LLEM_CACHE_DIR") or shared / "pytest-llem").expanduser().absolute()
    mounts: list[Mount] = []
    variables: dict[str, str] = {}
    if hub.is_dir():
        mounts.append(Mount(hub, read_only=not network))
        variables |= {"HF_HOME": str(hub), "HF_MODULES_CACHE": f"{HOME}/hf-modules"}
    if own.is_dir():
        mounts.append(Mount(own))
        variables["LLEM_CACHE_DIR"] = str(own)
    others = [Path(environ[name]) for name in HUB_CACHES if environ.get(name)]
    mounts += [Mount(other.absolute(), read_only=not network) for other in others if other.is_dir()]
    if not network:
        variables["HF_HUB_OFFLINE"] = "1"
    return mounts, variables
