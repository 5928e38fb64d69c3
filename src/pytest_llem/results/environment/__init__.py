"""The machine and the software of a run, as far as they can be told."""

from pytest_llem.results.environment.collect import collect_environment
from pytest_llem.results.environment.libraries import recorded_libraries
from pytest_llem.results.environment.packages import recorded
from pytest_llem.results.environment.snapshot import ENVIRONMENT_VERSION, Environment, Git, Gpu

__all__ = [
    "ENVIRONMENT_VERSION",
    "Environment",
    "Git",
    "Gpu",
    "collect_environment",
    "recorded",
    "recorded_libraries",
]
