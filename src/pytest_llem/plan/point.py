"""One point of the grid: a test item, or a bare experiment, seen as an experiment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.layers.layer import Origin


@dataclass(frozen=True, slots=True)
class Point:
    """What is to be measured, and where it stands in the grid."""

    group: str
    """Test function (``bench/test_chat.py::test_chat``) or name of the study."""
    label: str
    """Parameter id within the group; empty if the test has no parameters."""
    config: ExperimentConfig | None
    """``None`` if the point is invalid."""
    identity: str
    """Hash of the configuration and of the test's own arguments; empty if invalid."""
    own_arguments: Mapping[str, str] = field(default_factory=dict)
    """Arguments that are the test's own, by their ids."""
    axes: Mapping[str, Any] = field(default_factory=dict)
    """Values of the fields that the grid varies, engine options as ``vllm.max_num_seqs``."""
    invalid: str | None = None
    """Why the point cannot be run, or ``None`` if it can."""
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False)
    """Who gave each field that has no default value, by path; empty if it is not known."""

    repeats: int | None = None
    """Fresh processes that it asks for; ``None`` leaves that to the run."""
    empty_id: bool = False
    """Whether it has a parameter id that is empty, which pytest shows as ``[]``."""

    def processes(self, repeats: int | None) -> int:
        """How many it has where all are to have *repeats*, or none in particular."""
        return repeats or self.repeats or 1

    @property
    def node_id(self) -> str:
        """The pytest item's node id; for a bare experiment, group and label in the same form."""
        has_id = self.label or self.empty_id
        return f"{self.group}[{self.label}]" if has_id else self.group

    @property
    def experiment_id(self) -> str:
        """Group and identity: what its results are stored under."""
        return f"{self.group}-{self.identity}"
