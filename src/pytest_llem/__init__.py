"""Energy experiments on LLM inference as pytest tests.

Everything that the plugin and the command do is here: see docs/api.md.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from pytest_llem._public import PLACES
from pytest_llem._version import __version__

if TYPE_CHECKING:
    from pytest_llem.baselines.catalogue import Catalogued, Changed
    from pytest_llem.baselines.file import BaselineFile
    from pytest_llem.baselines.history import History
    from pytest_llem.baselines.history import histories as baseline_histories
    from pytest_llem.baselines.kept import Verdicts
    from pytest_llem.baselines.kept import kept_verdicts as read_verdicts
    from pytest_llem.baselines.run_summary import RunSummary
    from pytest_llem.baselines.self_check import SelfCheck
    from pytest_llem.baselines.store import Baselines, BaselineStore
    from pytest_llem.baselines.store import Update as BaselineUpdate
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.components.component import Component, Listed
    from pytest_llem.config.added import AddedSection
    from pytest_llem.config.cost import Tariff
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.identity import config_hash
    from pytest_llem.config.layers.standing import Standing
    from pytest_llem.config.measurement import MeasurementConfig
    from pytest_llem.config.profiles.profile import Profile
    from pytest_llem.config.schema import file_schema as config_schema
    from pytest_llem.config.study import StudyConfig
    from pytest_llem.config.study_file import StudyFile, read_study
    from pytest_llem.config.traffic import TrafficConfig
    from pytest_llem.config.workload import WorkloadConfig
    from pytest_llem.devices.meter import Capability, Device, Facts, Meter, Reading
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.recorded import Recorded
    from pytest_llem.engines.engine import Engine, Generation, RequestResult, Session
    from pytest_llem.engines.model_source import resolve_model
    from pytest_llem.errors import (
        BaselineError,
        ComponentError,
        ConfigError,
        EngineError,
        ExportError,
        IsolationError,
        LlemError,
        LockError,
        MeterError,
        MissingExtraError,
        ModelNotFoundError,
        OutOfMemoryError,
        StoreError,
    )
    from pytest_llem.isolation.observer import Progress
    from pytest_llem.measure.instrument import Energy
    from pytest_llem.measure.work import Work
    from pytest_llem.plan.document import Plan
    from pytest_llem.plan.grid import grid
    from pytest_llem.plan.stream import StudyPoints, Tally
    from pytest_llem.plan.stream import tally as tally_points
    from pytest_llem.plan.tally_lines import tally_lines
    from pytest_llem.reports.arrangement import Arrangement, arrangement_of
    from pytest_llem.reports.exporters.exporter import Exported, ExportedRun, Exporter
    from pytest_llem.results.cost import CostReport
    from pytest_llem.results.diagnosis import Diagnosis
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.event_log import read_events
    from pytest_llem.results.listing import StoredRun, delete_run, stored_run
    from pytest_llem.results.manifest import Manifest
    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore
    from pytest_llem.results.transitions import Transition, read_journal
    from pytest_llem.runs.ab.asking import both_sides, run_aa, run_ab
    from pytest_llem.runs.ab.comparing import Asked, Compared
    from pytest_llem.runs.ab.side import Side
    from pytest_llem.runs.ab.telling import compared_json, compared_lines, write_compared
    from pytest_llem.runs.baselines_here import (
        Pruned,
        accept_baselines,
        diff_baselines,
        list_baselines,
        open_baselines,
        prune_baselines,
    )
    from pytest_llem.runs.components import components as list_components
    from pytest_llem.runs.configuration import (
        CheckedConfig,
        EffectiveConfig,
        check_config,
        config_template,
        effective_config,
        experiment_config,
        list_profiles,
    )
    from pytest_llem.runs.costing import cost_of_runs
    from pytest_llem.runs.covering import engine_coverage
    from pytest_llem.runs.doctor import examine as examine_machine
    from pytest_llem.runs.exporting import Export, export_run, summarise_run
    from pytest_llem.runs.html import write_html
    from pytest_llem.runs.judging import Judged, judge_run
    from pytest_llem.runs.kept_runs import list_runs, open_run, show_run
    from pytest_llem.runs.library import StudyResult, default_settings, run_experiment, run_study
    from pytest_llem.runs.library import preview_of as preview_experiment
    from pytest_llem.runs.migrating import Migrated, migrate
    from pytest_llem.runs.recomputing import Recomputation, recompute_run
    from pytest_llem.runs.schemas import json_schemas
    from pytest_llem.runs.settings import Resume, RunSettings
    from pytest_llem.runs.showing import Look
    from pytest_llem.runs.standing import standing_here as read_standing
    from pytest_llem.runs.stored_files import StoredFile, read_stored
    from pytest_llem.runs.studies import plan_study, study_points
    from pytest_llem.workloads.request import Request, Tokenizer
    from pytest_llem.workloads.workload import Workload

__all__ = [
    "AddedSection",
    "Arrangement",
    "Asked",
    "BaselineError",
    "BaselineFile",
    "BaselineStore",
    "BaselineUpdate",
    "Baselines",
    "Capability",
    "Catalogued",
    "Changed",
    "CheckedConfig",
    "Compared",
    "Component",
    "ComponentError",
    "ConfigError",
    "CostReport",
    "Device",
    "Diagnosis",
    "EffectiveConfig",
    "Energy",
    "Engine",
    "EngineError",
    "Environment",
    "ExperimentConfig",
    "ExperimentResult",
    "Export",
    "ExportError",
    "Exported",
    "ExportedRun",
    "Exporter",
    "Facts",
    "Generation",
    "History",
    "IsolationError",
    "Judged",
    "Judgement",
    "Listed",
    "LlemError",
    "LockError",
    "Look",
    "Manifest",
    "Measured",
    "MeasurementConfig",
    "Meter",
    "MeterError",
    "Migrated",
    "MissingExtraError",
    "ModelNotFoundError",
    "OutOfMemoryError",
    "Plan",
    "Profile",
    "Progress",
    "Pruned",
    "RawData",
    "Reading",
    "Recomputation",
    "Recorded",
    "Request",
    "RequestResult",
    "Resume",
    "RunSettings",
    "RunStore",
    "RunSummary",
    "SelfCheck",
    "Session",
    "Side",
    "Standing",
    "StoreError",
    "StoredFile",
    "StoredRun",
    "StudyConfig",
    "StudyFile",
    "StudyPoints",
    "StudyResult",
    "Tally",
    "Tariff",
    "Tokenizer",
    "TrafficConfig",
    "Transition",
    "Verdicts",
    "Work",
    "Workload",
    "WorkloadConfig",
    "__version__",
    "accept_baselines",
    "arrangement_of",
    "baseline_histories",
    "both_sides",
    "check_config",
    "compared_json",
    "compared_lines",
    "config_hash",
    "config_schema",
    "config_template",
    "cost_of_runs",
    "default_settings",
    "delete_run",
    "diff_baselines",
    "effective_config",
    "engine_coverage",
    "examine_machine",
    "experiment_config",
    "export_run",
    "grid",
    "json_schemas",
    "judge_run",
    "list_baselines",
    "list_components",
    "list_profiles",
    "list_runs",
    "migrate",
    "open_baselines",
    "open_run",
    "plan_study",
    "preview_experiment",
    "prune_baselines",
    "read_events",
    "read_journal",
    "read_standing",
    "read_stored",
    "read_study",
    "read_verdicts",
    "recompute_run",
    "resolve_model",
    "run_aa",
    "run_ab",
    "run_experiment",
    "run_study",
    "show_run",
    "stored_run",
    "study_points",
    "summarise_run",
    "tally_lines",
    "tally_points",
    "write_compared",
    "write_html",
]


def __getattr__(name: str) -> Any:
    if name == "llem":  # so that ``from pytest_llem import llem`` gives ``@llem.grid``
        return sys.modules[__name__]
    if name not in PLACES:
        raise AttributeError(f"module 'pytest_llem' has no attribute {name!r}")
    module, _, attribute = PLACES[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return [*__all__, "llem"]
