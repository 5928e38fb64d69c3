"""Looking a machine over: what would disturb a measurement here, and how to mend it."""

from pytest_llem.runs.doctor.examination import examine

__all__ = ["examine"]
