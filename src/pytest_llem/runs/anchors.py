"""The anchors of a session: measured at its start, in its middle and at its end."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.samples import unusable
from pytest_llem.config.identity import config_hash
from pytest_llem.errors import BaselineError, LlemError
from pytest_llem.isolation.launcher import Command
from pytest_llem.isolation.output import OutputLog
from pytest_llem.plan.point import Point
from pytest_llem.results.raw import RawData
from pytest_llem.runs.anchor_sites import ENGINE, Sites, sites_of
from pytest_llem.runs.anchored import Anchored
from pytest_llem.runs.conductor import Account, Task
from pytest_llem.runs.outcomes import bare_outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager

    from pytest_llem.baselines.store import Baselines
    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.observer import Progress
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.anchor_sites import Site
    from pytest_llem.runs.conductor import Conducted, Conductor
    from pytest_llem.runs.settings import RunSettings

    Say = Callable[[str, int], object]
    Watch = Callable[[str], AbstractContextManager[Callable[[Progress], None] | None]]

FUNCTION = "pytest_llem.measure.anchors.job:run"
GROUP = "anchors"
DEADLINE_S = 120.0
"""The loops are given up after so long."""
WORTH = 10
"""Between looks, so many times what the last readings cost goes by before they are taken anew."""
LONGEST_REASON = 200


class Anchors:
    """Takes a session's readings where they are due; what goes wrong is a reason, never an error."""

    def __init__(self, conductor: Conductor, planned: int) -> None:
        """Take none until :meth:`begin`; *planned* is how many processes are to come."""
        self._conductor, self._planned = conductor, planned
        self._say: Say = lambda _, __: None
        self._watch: Watch = lambda _: nullcontext()
        self.known = Anchored()
        self._sites: list[Site] = []
        self._ran = 0
        self._ran_at_last = -1
        self._count = 0
        self._spent_ns = self._cost_ns = self._ended_ns = 0

    def begin(self, sites: Sites, say: Say, watch: Watch) -> None:
        """Take the first readings.

        Args:
            sites: where.
            say: tells a person something, from the given verbosity on.
            watch: shows a person how something gets on.
        """
        self._say, self._watch = say, watch
        self._sites = list(sites.found)
        self.known.why_none = sites.why_not
        if self._sites:
            self._conductor.launchers.start_here(ENGINE)
        self._read()

    def process_ended(self) -> None:
        """Take the readings in the middle once half of the processes have run, and the last."""
        self._ran += 1
        if self._ran in {self._planned // 2, self._planned}:
            self._read()

    def before_look(self) -> None:
        """Take readings for what is judged next, if enough has happened since the last."""
        if time.monotonic_ns() - self._ended_ns >= WORTH * self._cost_ns:
            self._read()

    def end(self) -> None:
        """Take the last readings, unless nothing has run since those before; say what they cost."""
        self._read()
        if self.known.results:
            spent_s = self._spent_ns / 1e9
            self._say(
                f"llem: anchors took {spent_s:.0f} s, read {self._count} times (--llem-anchors)", 0
            )

    def _read(self) -> None:
        """Read every site once; the one that fails before it was ever read is given up."""
        if not self._sites or self._ran == self._ran_at_last:
            return
        self._ran_at_last = self._ran
        begun_ns = time.monotonic_ns()
        for site in list(self._sites):
            problem = self._take(site)
            if problem:
                self._say(f"llem: anchors could not be measured: {problem}", 0)
                if not self._count:
                    self._give_up(site, problem)
        self._count += 1
        self._ended_ns = time.monotonic_ns()
        self._cost_ns = self._ended_ns - begun_ns
        self._spent_ns += self._cost_ns
        self._say(f"llem: anchors read in {self._cost_ns / 1e9:.1f} s", 1)

    def _give_up(self, site: Site, problem: str) -> None:
        self._sites.remove(site)
        self.known.why_none = "; ".join(filter(None, (self.known.why_none, problem)))

    def _take(self, site: Site) -> str:
        """Read one site and keep it; what went wrong, or nothing."""
        try:
            conducted, account = self._conducted(site)
            result = self._conductor.result(conducted, account)
            self._keep(conducted, result)
        except (LlemError, OSError) as error:
            return _shortened(str(error))
        problem = unusable(result)
        if problem is None:
            self.known.results.append(result)
        return _shortened(problem or "")

    def _conducted(self, site: Site) -> tuple[Conducted, Account]:
        identity = config_hash(site.config)
        point = Point(group=GROUP, label=site.label, config=site.config, identity=identity)
        said: dict[str, Any] = {}

        def listen(message: Message) -> None:
            if message.kind == "outcome":
                said.update(message.fields)

        with tempfile.TemporaryDirectory(prefix="llem-anchors-") as folder:
            log = OutputLog(Path(folder) / "output.log")
            command = Command(
                ["-P", "-m", "pytest_llem.isolation.child"],
                self._conductor.settings.project,
                site.environment,
                output=log.path,
            )
            with self._watch("anchors") as show:
                task = Task(point, command, self._job(site), listen, show, DEADLINE_S, log)
                conducted = self._conductor.conduct(task)
            outcome, message = bare_outcome_of(said, conducted.ending, DEADLINE_S, log)
        return conducted, Account(point, outcome, message, None, self._count)

    def _job(self, site: Site) -> dict[str, Any]:
        return {
            "function": FUNCTION,
            "node_id": "the anchors of this session",
            "config": site.config.model_dump(mode="json"),
            "gpus": site.gpus,
            "driver": self._conductor.environment.driver_version,
        }

    def _keep(self, conducted: Conducted, result: ExperimentResult) -> None:
        observation = conducted.observation
        raw = RawData(traces=observation.traces, marks=tuple(observation.marks))
        kept = self._conductor.store.with_anchors()
        path = kept.write_result(result, raw if observation.marks else None)
        self._conductor.log.witness_of(result).finished(result, path.stem)


def wanted_sites(
    conductor: Conductor, points: Sequence[Point], gated: Collection[str], baselines: Baselines
) -> Sites:
    """Where anchors are to be measured, by what was asked for and what is of use.

    Args:
        conductor: of the experiments.
        points: the experiments.
        gated: identities of those that a gate compares.
        baselines: what they are compared with.
    """
    settings = conductor.settings
    configs = [
        (point, point.config) for point in points if point.config is not None and not point.invalid
    ]
    if (why := why_none(settings)) is not None:
        return Sites((), why)
    if settings.anchors == "on" or settings.update_baselines:
        used = [config for _, config in configs]
    else:
        compared = (point for point, _ in configs if point.identity in gated)
        anchored = {point.identity for point in compared if _has_anchors(baselines, point)}
        used = [config for point, config in configs if point.identity in anchored]
    return sites_of(used, conductor.instruments, os.environ, estimates=settings.anchors == "on")


def why_none(settings: RunSettings) -> str | None:
    """Why no anchors are measured, whatever the experiments; ``None`` if that depends on them."""
    if settings.anchors == "off":
        return "--llem-anchors=off"
    if settings.run_id is not None:
        return "workers of pytest-xdist measure none"
    if settings.anchors == "on":
        return None
    if settings.isolation == "none":
        return "--llem-isolation=none is for debugging"
    return "the devices are shared" if settings.allow_shared else None


def _has_anchors(baselines: Baselines, point: Point) -> bool:
    try:
        return baselines.has_anchors(point.group, point.identity)
    except BaselineError:  # whoever compares with it will say so
        return False


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}…"
