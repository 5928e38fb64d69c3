"""Where the run happens: system, interpreter, container, virtual machine."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONTAINER_FILES = (".dockerenv", "run/.containerenv", "run/systemd/container")
_CONTAINER_WORDS = ("docker", "kubepods", "containerd", "libpod", "crio", "lxc")
_VIRTUAL_WORDS = (
    "amazon ec2", "bochs", "google compute engine", "kvm", "parallels", "qemu", "virtual machine",
    "virtualbox", "vmware", "xen",
)  # fmt: skip


def os_name(system: Path) -> str | None:
    """``PRETTY_NAME`` of os-release(5)."""
    for line in (system / "etc/os-release").read_text(errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip().strip("\"'") or None
    return None


def kernel() -> str | None:
    """Name, release and architecture."""
    about = platform.uname()
    return f"{about.system} {about.release} {about.machine}"


def python() -> str | None:
    """Implementation and version."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def in_container(system: Path, environ: Mapping[str, str]) -> bool | None:
    """Whether a container runtime left its mark; ``None`` if there is nowhere to look."""
    if "KUBERNETES_SERVICE_HOST" in environ or environ.get("container"):
        return True
    if any((system / name).exists() for name in _CONTAINER_FILES):
        return True
    text = (system / "proc/self/cgroup").read_text() + _root_mount(system)
    return any(word in text for word in _CONTAINER_WORDS)


def _root_mount(system: Path) -> str:
    """The line of ``/proc/self/mountinfo`` (proc(5)) that is about ``/``."""
    lines = (system / "proc/self/mountinfo").read_text(errors="replace").splitlines()
    return next((line for line in lines if line.split()[4:5] == ["/"]), "")


def is_virtual(system: Path) -> bool | None:
    """Whether there is a hypervisor; ``None`` where neither firmware nor processor says so."""
    firmware = " ".join(_firmware(system)).lower()
    if any(word in firmware for word in _VIRTUAL_WORDS):
        return True
    for line in (system / "proc/cpuinfo").read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":  # x86 only: a hypervisor announces itself by CPUID
            return "hypervisor" in value.split()
    return None


def _firmware(system: Path) -> list[str]:
    found = []
    for name in ("sys_vendor", "product_name"):
        path = system / "sys/class/dmi/id" / name
        if path.is_file():
            found.append(path.read_text(errors="replace").strip())
    return found
