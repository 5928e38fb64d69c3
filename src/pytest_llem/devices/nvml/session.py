"""Starting and ending NVML, and what its errors mean for a reading."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NoDriverError(MeterError):
    """There is no NVIDIA driver here: nothing to read, and nothing wrong."""


class NvmlSession:
    """NVML, initialised; NVML counts sessions and lets go of the driver with the last one.

    Raises:
        NoDriverError: no library of the driver, or the driver is not loaded.
        MeterError: the driver is there and NVML does not start.
    """

    def __init__(self) -> None:
        import pynvml

        self.nvml: Any = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise _start_error(pynvml, error) from error
        self._gone = _codes_of_a_lost_gpu(pynvml)

    def close(self) -> None:
        """Give NVML back; the session cannot be used afterwards."""
        with suppress(self.nvml.NVMLError):
            self.nvml.nvmlShutdown()

    def known(self, call: Callable[..., T], *arguments: Any) -> T | None:
        """What *call* answers, or ``None`` where the driver does not know.

        Raises:
            pynvml.NVMLError: the GPU is gone; ``gone`` says it for people.
        """
        try:
            return call(*arguments)
        except self.nvml.NVMLError as error:
            self.raise_if_gone(error.value)
            return None
        except self.nvml.NVMLLibraryMismatchError:  # a driver before this version of the call
            return None

    def raise_if_gone(self, code: int) -> None:
        """Stop at a return code after which a GPU never answers again.

        Raises:
            pynvml.NVMLError: it is one.
        """
        if code in self._gone:
            raise self.nvml.NVMLError(code)

    def gone(self, uuid: str, error: Exception) -> MeterError:
        """The error for a GPU that no longer answers."""
        return MeterError(
            f"GPU {uuid} cannot be read any more: {_text(error)}. Look at `nvidia-smi` and at "
            "the kernel log (`dmesg | grep -i xid`); the driver or the machine may need a restart."
        )


def _codes_of_a_lost_gpu(nvml: Any) -> frozenset[int]:
    """Errors after which a handle never answers again."""
    return frozenset(
        {
            nvml.NVML_ERROR_UNINITIALIZED,
            nvml.NVML_ERROR_NOT_FOUND,
            nvml.NVML_ERROR_DRIVER_NOT_LOADED,
            nvml.NVML_ERROR_GPU_IS_LOST,
            nvml.NVML_ERROR_RESET_REQUIRED,
            nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
            nvml.NVML_ERROR_GPU_NOT_FOUND,
        }
    )


def _start_error(nvml: Any, error: Any) -> MeterError:
    if error.value == nvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return NoDriverError("no NVIDIA driver on this machine")
    if error.value == nvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return NoDriverError("the NVIDIA driver is not loaded")
    advice = {
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: " (reboot, or reload the nvidia kernel modules)",
        nvml.NVML_ERROR_NO_PERMISSION: " (allow this user to open /dev/nvidia*)",
    }
    return MeterError(f"NVML does not start: {_text(error)}{advice.get(error.value, '')}")


def _text(error: Exception) -> str:
    return str(error).rstrip(".")
