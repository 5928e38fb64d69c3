"""What can go wrong, said so that the reader knows what to do next."""

from __future__ import annotations


class LlemError(Exception):
    """Base of every error pytest-llem raises on purpose.

    The message says what happened, where, and what to do next; it is shown to
    users without a traceback.
    """


class ConfigError(LlemError):
    """An experiment, study or option that cannot be carried out as written."""


class ComponentError(LlemError):
    """A component that cannot be used: it is broken, of another version, or not the only one."""


class MissingExtraError(LlemError):
    """An optional dependency is not installed; the message names the extra."""

    def __init__(self, package: str, extra: str, instead: str = "") -> None:
        """*instead* is a further sentence, where there is another way."""
        super().__init__(
            f"{package} is not installed in this environment. "
            f"Install it with: pip install 'pytest-llem[{extra}]'" + (instead and f". {instead}")
        )


class MeterError(LlemError):
    """A device cannot be read, or no meter answers what was asked."""


class EngineError(LlemError):
    """An engine could not load a model or could not generate."""


class ModelNotFoundError(EngineError):
    """The model is neither built in, nor a local folder, nor reachable by its hub id."""


class OutOfMemoryError(EngineError):
    """The model or the batch does not fit in the device's memory."""


class IsolationError(LlemError):
    """A child process could not be started, spoken with or ended."""


class LockError(LlemError):
    """A device could not be had for an experiment alone."""


class StoreError(LlemError):
    """A result, trace or manifest could not be written or read."""


class ExportError(LlemError):
    """Results could not be written for another tool."""


class BaselineError(LlemError):
    """A baseline file could not be written, read or understood."""
