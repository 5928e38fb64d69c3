"""What is asked of an engine: prompts, lengths, turns, arrival times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.components.contract import Contract
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from pytest_llem.workloads.workload import Workload

WORKLOADS: Registry[type[Workload]] = Registry(
    "workloads",
    {
        "synthetic": "pytest_llem.workloads.synthetic:SyntheticWorkload",
        "jsonl": "pytest_llem.workloads.jsonl:JsonlWorkload",
        "datasets": "pytest_llem.workloads.rows:DatasetsWorkload",
    },
    Contract("pytest_llem.workloads.workload:Workload"),
    needs={"datasets": ("datasets",)},
)
