"""The TensorRT-LLM that is installed here, as far as an experiment depends on it."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = "tensorrt_llm"
OLDEST = (1, 2)
"""First version whose ``LLM`` has the arguments and results that this adapter uses."""
DRIVER = "libcuda.so.1"
NO_DRIVER = (
    f"there is no NVIDIA driver ({DRIVER} cannot be loaded), and TensorRT-LLM runs on NVIDIA GPUs "
    "only. Install the driver, start the container with the machine's GPUs, or use another engine."
)
INSTEAD = (
    "It is in no package registry alone: take NVIDIA's image (docker/tensorrt-llm.Dockerfile) and "
    "name it in LLEM_TENSORRT_LLM_IMAGE, or make an environment of its own with "
    "`pip install tensorrt-llm`, which takes it from NVIDIA's index, and name its interpreter "
    "in LLEM_TENSORRT_LLM_PYTHON"
)
LIBRARIES = {
    "libcuda.so": "It comes with NVIDIA's driver, which is missing here.",
    "libnvidia-ml.so": "It comes with NVIDIA's driver, which is missing here.",
    "libmpi": "Install Open MPI, such as `apt-get install libopenmpi-dev`.",
    "libnvinfer": "It is TensorRT's: reinstall tensorrt-llm with all that it requires.",
    "libpython": "Install the shared library of this Python, such as `apt-get install python3-dev`.",
}
"""What brings a shared library that cannot be found, by a part of its name."""
ARGUMENTS = {"pytorch": "TorchLlmArgs", "tensorrt": "TrtLlmArgs"}


@dataclass(frozen=True, slots=True)
class TensorrtLlm:
    """The imported package, for one of its backends."""

    package: Any
    backend: str
    """``pytorch``, ``tensorrt`` or ``_autodeploy``."""
    version: str
    model_class: Any
    """The backend's ``LLM``."""
    arguments: frozenset[str] | None
    """Arguments that it takes; ``None`` if that cannot be told."""
    others: frozenset[str]
    """Arguments that only the other one of the two main backends takes."""

    @property
    def compiled(self) -> bool:
        return self.backend == "tensorrt"

    def part(self, name: str) -> Any:
        """A class of ``tensorrt_llm.llmapi``, such as ``KvCacheConfig``.

        Raises:
            EngineError: this version has none of that name.
        """
        for module in ("tensorrt_llm.llmapi", "tensorrt_llm.llmapi.llm_args"):
            try:
                return getattr(import_module(module), name)
            except (ImportError, AttributeError):
                continue
        raise EngineError(
            f"TensorRT-LLM {self.version} has no {name}, which an option of this experiment needs. "
            f"This adapter is written for {'.'.join(map(str, OLDEST))} and newer."
        )


def import_tensorrt_llm(backend: str, has_driver: Callable[[], bool] | None = None) -> TensorrtLlm:
    """The package, imported, if it can be used here.

    Args:
        backend: as the section has it.
        has_driver: whether CUDA's driver library can be loaded.

    Raises:
        MissingExtraError: it is not installed.
        EngineError: it is too old, a library or the driver is missing, or it is damaged.
    """
    has_driver = has_driver or driver_loads
    if _is_distributed() and not has_driver():  # its import takes long, to say less
        raise EngineError(f"could not load TensorRT-LLM: {NO_DRIVER}")
    try:
        package = import_module(PACKAGE)
        version = str(getattr(package, "__version__", "unknown"))
        _check_version(version)
        model_class = _model_class(package, backend)
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        raise _import_error(error, has_driver) from error
    taken = {name: _fields(cls) for name, cls in ARGUMENTS.items()}
    known = taken.get(backend)
    other = taken.get({"pytorch": "tensorrt", "tensorrt": "pytorch"}.get(backend, ""))
    return TensorrtLlm(
        package=package,
        backend=backend,
        version=version,
        model_class=model_class,
        arguments=known,
        others=(other or frozenset()) - known if known else frozenset(),
    )


def driver_loads() -> bool:
    """Whether CUDA's driver library is there."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return False
    return True


def tensorrt_version() -> str | None:
    """Version of TensorRT; ``None`` if it is not installed as a distribution."""
    for name in ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _is_distributed() -> bool:
    """Whether it was installed, rather than put on the path."""
    try:
        metadata.version("tensorrt_llm")
    except metadata.PackageNotFoundError:
        return False
    return True


def _model_class(package: Any, backend: str) -> Any:
    if backend != "tensorrt":
        return package.LLM
    try:
        return import_module("tensorrt_llm._tensorrt_engine").LLM
    except ModuleNotFoundError:
        raise EngineError(
            "this TensorRT-LLM compiles no engines any more: it has no "
            "tensorrt_llm._tensorrt_engine. Leave tensorrt_llm.backend unset for its PyTorch backend, "
            "or install 1.2."
        ) from None


def _fields(cls: str) -> frozenset[str] | None:
    try:
        fields = getattr(import_module("tensorrt_llm.llmapi.llm_args"), cls).model_fields
    except (ImportError, AttributeError):
        return None
    return frozenset(fields)


def _check_version(version: str) -> None:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise EngineError(
            f"TensorRT-LLM {version} is installed, and this adapter needs {oldest} or newer, whose "
            "arguments and metrics it uses. Install a newer one, or take a newer image."
        )


def _import_error(error: Exception, has_driver: Callable[[], bool]) -> Exception:
    if isinstance(error, ModuleNotFoundError) and error.name == PACKAGE:
        return MissingTensorrtLlmError()
    said = f"tensorrt_llm is installed but cannot be imported: {error}."
    for library, remedy in LIBRARIES.items():
        if library in str(error):
            return EngineError(f"{said} {remedy}")
    if not has_driver():
        return EngineError(f"{said} Most likely, {NO_DRIVER}")
    return EngineError(f"{said} Reinstall it in an environment of its own.")


class MissingTensorrtLlmError(MissingExtraError):
    """TensorRT-LLM is not installed, and no extra brings it."""

    def __init__(self) -> None:
        super(MissingExtraError, self).__init__(
            f"tensorrt_llm is not installed in this environment. {INSTEAD}."
        )
