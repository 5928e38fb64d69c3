"""Tells the run's log what becomes of one process of an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.results.events import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.launcher import Launched
    from pytest_llem.isolation.supervisor import Ending
    from pytest_llem.results.event_log import EventLog
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.observation import Instrument

LONGEST_MESSAGE = 2000
"""Characters of why an experiment failed that the log has; the result has all."""


class Witness:
    """Hears what a process says and what it is told; the log is held while windows run."""

    def __init__(
        self, log: EventLog, experiment_id: str, node_id: str | None, process: int
    ) -> None:
        self._log = log
        self._who = {"experiment_id": experiment_id, "node_id": node_id, "process": process}
        self._warming_up = self._holding = False

    def queued(self, backend: str, model: str) -> None:
        """It is its turn."""
        self._add("experiment_queued", backend=backend, model=model)

    def waiting(self, text: str) -> None:
        """Others have its devices."""
        self._add("experiment_waiting", text=text)

    def leased(self, instrument: Instrument) -> None:
        """It has its devices."""
        uuids = [device.uuid for source in instrument.sources for device in source.devices]
        self._add("experiment_leased", devices=uuids, shared=instrument.shared)

    def started(self, launched: Launched | None) -> None:
        """Its process runs: another one's, or this one (``None``)."""
        how, why = ("none", None) if launched is None else (launched.how, launched.why)
        self._add("experiment_started", isolation=how, reason=why)

    def heard(self, message: Message) -> None:
        """The process said something about measuring."""
        if message.kind == "engine":
            description = message.fields.get("description", {})
            versions = description.get("versions")
            self._add("experiment_loaded", versions=_texts(versions))
        elif message.kind == "phase":
            self._enter(message.fields)

    def replying(self, reply: Callable[..., None]) -> Callable[..., None]:
        """*reply*, and what it says is heard."""

        def reply_and_tell(kind: str, **fields: Any) -> None:
            reply(kind, **fields)
            if kind == "reviewed" and fields["invalid"]:
                self._add("windows_repeated", invalid=fields["invalid"])
            elif kind == "measurement":
                self._measured(fields)

        return reply_and_tell

    def retried(self, reason: str) -> None:
        """It is run again."""
        self._add("experiment_retried", reason=reason)

    def warned(self, text: str) -> None:
        """A person should know something of it."""
        known = {name: self._who[name] for name in ("experiment_id", "process")}
        self._log.add("warning", text=text, **known)

    def interrupted(self) -> None:
        """Somebody interrupted the run."""
        self._release()
        self._add("experiment_interrupted")

    def ended(self, ending: Ending | None) -> None:
        """Its process is gone; ``None`` if it had none of its own."""
        self._release()
        if ending is None or not (ending.was_killed or ending.status is None):
            return
        self._add(
            "child_died",
            status=ending.status,
            timed_out=ending.timed_out,
            killed_for=ending.killed_for,
            kernel_kills=ending.kernel_kills,
        )

    def failed(self, text: str) -> None:
        """Nothing ran."""
        self._release()
        self._finished("error", text, None)

    def finished(self, result: ExperimentResult, name: str | None) -> None:
        """What came of it is kept under *name*."""
        self._finished(result.outcome, result.message, name)

    def judged(self, judgements: Sequence[Judgement], *, strict: bool) -> None:
        """Its gates have answered, if it has any."""
        gated = [one for one in judgements if one.gated]
        if gated:
            failed = any(one.failed(strict=strict) for one in gated)
            verdicts = [
                {name: getattr(one, name) for name in Verdict.model_fields} for one in gated
            ]
            self._add("experiment_judged", verdicts=verdicts, failed=failed)

    def _enter(self, fields: dict[str, Any]) -> None:
        phase, index = fields["phase"], fields["index"]
        if phase == "warm-up":
            self._warming_up = True
            self._add("warm_up_started")
        if index is None:
            return
        self._hold()
        if self._warming_up:
            self._warming_up = False
            self._add("warmed_up")
        self._add("window_started", phase=phase, index=index, count=fields["count"])

    def _measured(self, said: dict[str, Any]) -> None:
        self._release()
        figures = said.get("figures") or {}
        windows = figures.get("windows", ())
        self._add(
            "measured",
            measurement=figures.get("name"),
            energy_j=figures.get("energy_j"),
            energy_uncertainty_j=figures.get("energy_uncertainty_j"),
            energy_per_output_token_j=figures.get("energy_per_output_token_j"),
            estimated=figures["method"] == "estimated" if figures else None,
            windows=len(windows),
            invalid_windows=sum(not window["valid"] for window in windows),
            warnings=figures.get("warnings", ()),
            problem=said.get("error"),
        )

    def _finished(self, outcome: str, message: str | None, name: str | None) -> None:
        cut = None if message is None else message[:LONGEST_MESSAGE]
        self._add("experiment_finished", outcome=outcome, message=cut, result=name)

    def _hold(self) -> None:
        if not self._holding:
            self._holding = True
            self._log.hold()

    def _release(self) -> None:
        if self._holding:
            self._holding = False
            self._log.let_go()

    def _add(self, event: str, **fields: Any) -> None:
        self._log.add(event, **self._who, **fields)


def _texts(versions: Any) -> dict[str, str | None]:
    """Versions by name, whatever an engine gave."""
    if not isinstance(versions, dict):
        return {}
    return {str(name): None if one is None else str(one) for name, one in versions.items()}
