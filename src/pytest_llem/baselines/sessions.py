"""One run's part of a baseline: the processes of one experiment, and where they ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.differences import compare_fingerprints
from pytest_llem.baselines.file import BaselineSession
from pytest_llem.baselines.fingerprint import fingerprint
from pytest_llem.baselines.samples import Side, measurements_by_name, process_samples, unusable
from pytest_llem.config.identity import identity_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.baselines.anchors import AnchorReading
    from pytest_llem.baselines.samples import ProcessSamples
    from pytest_llem.results.schema import ExperimentResult


def identity_of_result(result: ExperimentResult) -> str:
    """The key of an experiment's baseline; the node id plays no part."""
    return identity_hash(result.config, result.own_arguments)


def session_of(
    repeats: Sequence[ExperimentResult],
    environment: Mapping[str, Any],
    anchors: Sequence[AnchorReading] = (),
) -> BaselineSession:
    """What the processes of one experiment measured in one run, and its anchors.

    Raises:
        BaselineError: a process did not pass, or measured nothing valid.
    """
    prints = [fingerprint(result, environment) for result in repeats]
    uuids = sorted({uuid for one in prints for uuid in one.device_uuids})
    measurements: dict[str, tuple[ProcessSamples, ...]] = {}
    for result in sorted(repeats, key=lambda result: result.repeat):
        recorded = result.recorded
        for name, measured in measurements_by_name(result).items():
            samples = process_samples(measured, result.repeat, recorded)
            recorded = ()  # they are kept with the first
            measurements[name] = (*measurements.get(name, ()), samples)
    return BaselineSession(
        run_id=repeats[0].run_id,
        started_at=min(result.started_at for result in repeats),
        fingerprint=prints[0].model_copy(update={"device_uuids": tuple(uuids)}),
        anchors=tuple(anchors),
        measurements=measurements,
    )


def side_of(sessions: Sequence[BaselineSession], measurement: str, metric: str) -> Side:
    """One metric of a measurement over *sessions*; those that do not know it are left out."""
    samples = (session.samples(measurement, metric) for session in sessions)
    return Side(sessions=tuple(known for known in samples if known))


def refusal(repeats: Sequence[ExperimentResult], environment: Mapping[str, Any]) -> str | None:
    """Why the processes of one experiment are of no use for a comparison; ``None`` if they are.

    Any of them failed or measured nothing valid, or they do not belong together.
    """
    for result in repeats:
        if (reason := unusable(result)) is not None:
            return reason if len(repeats) == 1 else f"process {result.repeat}: {reason}"
    return _disagreement(repeats, environment)


def _disagreement(
    repeats: Sequence[ExperimentResult], environment: Mapping[str, Any]
) -> str | None:
    first = fingerprint(repeats[0], environment)
    for other in repeats[1:]:
        differences = compare_fingerprints(first, fingerprint(other, environment))
        if differences.refuse:
            said = "; ".join(differences.refuse)
            return f"processes {repeats[0].repeat} and {other.repeat} differ: {said}"
    return None
