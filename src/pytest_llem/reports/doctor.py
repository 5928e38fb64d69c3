"""What ``llem doctor`` says: the machine, what would disturb a measurement, what there is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llem.reports.ink import Line, Span, Style, line, painted
from pytest_llem.reports.text import clean, display_width, glyphs, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llem.results.diagnosis import Diagnosis, EngineState, Finding, Level, MeterState
    from pytest_llem.results.environment import Environment, Gpu

WIDTH = 80
GIB = 1 << 30
UNKNOWN = "unknown"
_STYLES: dict[Level, Style] = {"impossible": "red", "disturbs": "yellow", "note": "cyan"}
_STATUS: dict[str, Style] = {"confirmed": "green", "will not work": "red"}


def doctor_lines(
    diagnosis: Diagnosis, *, width: int = WIDTH, colour: bool = False, unicode: bool = True
) -> list[str]:
    """The diagnosis in lines of at most *width* columns."""
    signs = glyphs(unicode=unicode)
    page = _Page(width, unicode=unicode)
    page.title(f"llem doctor: pytest-llem {diagnosis.tool_version}, {diagnosis.executable}")
    page.rows(_machine(diagnosis.environment))
    page.title("what would disturb a measurement here, and how to mend it")
    for finding in diagnosis.findings:
        page.finding(finding)
    if not diagnosis.findings:
        page.text("nothing that was looked for", "green")
    page.title("meters, in the order in which --llem-meter=auto takes them")
    page.rows(_meters(diagnosis.meters))
    page.title("engines")
    page.rows(_engines(diagnosis.engines))
    page.title("this machine in the hardware support matrix")
    for device, entries in _places(diagnosis).items():
        page.text(device, "bold")
        for status, text in entries:
            page.row(status, text, _STATUS.get(status, ""))
    page.title("")
    page.lines.append(line(_verdict(diagnosis), "red" if diagnosis.impossible else "bold"))
    return [painted(one, width=width, signs=signs, colour=colour) for one in page.lines]


class _Page:
    """Lines with titles, labelled rows and findings."""

    def __init__(self, width: int, *, unicode: bool) -> None:
        self._width, self._unicode = width, unicode
        self.lines: list[Line] = []

    def title(self, text: str) -> None:
        if self.lines:
            self.lines.append(())
        if text:
            self._flow(text, "bold", first="", indent="  ")

    def text(self, text: str, style: Style = "") -> None:
        self._flow(text, style, first="  ", indent="    ")

    def rows(self, rows: Iterable[tuple[str, str]]) -> None:
        known = list(rows)
        widest = max((display_width(label) for label, _ in known), default=0)
        for label, text in known:
            self._labelled(label, text, widest, "")

    def row(self, label: str, text: str, style: Style) -> None:
        self._labelled(f"  {label}", text, 15, style)

    def finding(self, finding: Finding) -> None:
        text = f"{finding.what}: {finding.value}"
        self._labelled(finding.level, text, 10, _STYLES[finding.level])
        self._flow(finding.why, "", first=" " * 14, indent=" " * 14)
        if finding.mend:
            self._flow(finding.mend, "cyan", first=f"{'':14}mend: ", indent=" " * 20)

    def _labelled(self, label: str, text: str, widest: int, style: Style) -> None:
        head = f"  {label}{' ' * (widest - display_width(label))}  "
        first, *more = self._wrapped(text or "-", head, " " * len(head))
        self.lines.append((Span(head, style), Span(first[len(head) :])))
        self.lines += [line(one) for one in more]

    def _flow(self, text: str, style: Style, *, first: str, indent: str) -> None:
        self.lines += [line(one, style) for one in self._wrapped(text, first, indent)]

    def _wrapped(self, text: str, first: str, indent: str) -> list[str]:
        cleaned = clean(text, unicode=self._unicode)
        return wrapped(cleaned, self._width, first=first, indent=indent)


def _verdict(diagnosis: Diagnosis) -> str:
    counts = Counter(finding.level for finding in diagnosis.findings)
    if diagnosis.impossible:
        return f"not ready: {counts['impossible']} to mend before anything can be measured"
    if counts["disturbs"]:
        return f"ready, with {counts['disturbs']} that would disturb a measurement"
    return "ready"


def _machine(seen: Environment) -> Iterator[tuple[str, str]]:
    around = {"a virtual machine": seen.virtualized, "a container": seen.container}
    inside = " in ".join(name for name, true in reversed(around.items()) if true)
    system = ", ".join(filter(None, (seen.os, seen.kernel)))
    yield "system", f"{system or UNKNOWN}{f' (in {inside})' if inside else ''}"
    yield "python", seen.python or UNKNOWN
    yield "processor", ", ".join(_processor(seen))
    yield "memory", ", ".join(_memory(seen))
    yield "threads", ", ".join(_threads(seen))
    if seen.driver_version or seen.cuda_toolkit_version:
        yield "driver", ", ".join(_driver(seen))
    for gpu in seen.gpus or ():
        yield f"GPU {gpu.index if gpu.index is not None else '?'}", ", ".join(_gpu(gpu))
    yield "project", _project(seen)


def _processor(seen: Environment) -> Iterator[str]:
    yield seen.cpu_model or UNKNOWN
    usable, logical = seen.usable_cores, seen.logical_cores
    yield f"{usable:g} of {logical} CPUs" if usable != logical else f"{logical} CPUs"
    if seen.cpu_mhz is not None:
        most = f" of {seen.max_cpu_mhz:g}" if seen.max_cpu_mhz is not None else ""
        yield f"{seen.cpu_mhz:g}{most} MHz"
    yield f"governor {seen.governor or UNKNOWN}"
    yield f"turbo {_switch(seen.turbo)}"
    if (seen.numa_nodes or 1) > 1:
        yield f"{seen.numa_nodes} NUMA nodes"


def _memory(seen: Environment) -> Iterator[str]:
    yield _gib(seen.memory_bytes)
    if seen.memory_available_bytes is not None:
        yield f"{_gib(seen.memory_available_bytes)} available"
    if seen.memory_limit_bytes is not None:
        yield f"limited to {_gib(seen.memory_limit_bytes)}"
    if seen.swap_bytes is not None:
        swap = f"{_gib(seen.swap_used_bytes)} of {_gib(seen.swap_bytes)} swap in use"
        yield swap if seen.swap_bytes else "no swap"


def _threads(seen: Environment) -> Iterator[str]:
    yield f"OMP_NUM_THREADS={seen.threads}" if seen.threads else "OMP_NUM_THREADS is not set"
    if seen.cpu_quota is not None:
        yield f"a quota of {seen.cpu_quota:g} CPUs"
    if seen.load_1m is not None:
        yield f"load {seen.load_1m:g}"
    if seen.steal_share is not None:
        yield f"{seen.steal_share:.1%} stolen since boot"


def _driver(seen: Environment) -> Iterator[str]:
    if seen.driver_version:
        yield f"{seen.driver_version}, for CUDA up to {seen.cuda_driver_version or UNKNOWN}"
    if seen.cuda_toolkit_version:
        yield f"toolkit {seen.cuda_toolkit_version}"


def _gpu(gpu: Gpu) -> Iterator[str]:
    yield gpu.name or "unnamed"
    yield f"limit {_number(gpu.power_limit_w)} of {_number(gpu.default_power_limit_w)} W by default"
    yield f"SM clock {_number(gpu.sm_clock_mhz)} of {_number(gpu.max_sm_clock_mhz)} MHz"
    modes = {"persistence": gpu.persistence, "ECC": gpu.ecc, "MIG": gpu.mig}
    yield from (f"{name} {_switch(on)}" for name, on in modes.items())
    if gpu.pcie_width is not None:
        yield f"PCIe {gpu.pcie_generation or '?'} x{gpu.pcie_width}"
    if gpu.nvlinks:
        yield f"{gpu.nvlinks} NVLinks"
    if gpu.numa_node is not None:
        yield f"NUMA node {gpu.numa_node}"


def _project(seen: Environment) -> str:
    git = seen.git
    if git is None:
        return "in no git repository, or git did not answer"
    commit = (git.commit or "no commit yet")[:12]
    changes = {True: ", with uncommitted changes", False: ", clean", None: ""}[git.dirty]
    return f"{commit} on {git.branch or 'no branch'}{changes}"


def _meters(meters: Iterable[MeterState]) -> Iterator[tuple[str, str]]:
    for meter in meters:
        if meter.state != "reads":
            yield meter.meter, f"{meter.state}: {meter.reason}" if meter.reason else meter.state
            continue
        taken = "taken by auto; " if meter.taken else ""
        how = f"scope {', '.join(meter.scopes)}, {', '.join(meter.methods)}"
        counted = Counter(meter.devices)
        devices = ", ".join(f"{count} × {name}" for name, count in counted.items())
        yield meter.meter, f"{taken}{how}: {devices}"


def _engines(engines: Iterable[EngineState]) -> Iterator[tuple[str, str]]:
    for engine in engines:
        version = f"{engine.version} " if engine.version else ""
        where = "here" if engine.place == "here" else f"in {engine.place}"
        state = {True: where, False: f"not {where}", None: where}[engine.usable]
        reason = f": {engine.reason}" if engine.reason else ""
        yield engine.engine, f"{version}{state}{reason}"


def _places(diagnosis: Diagnosis) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in diagnosis.support:
        text = "not in it"
        if row.entry is not None:
            text = f"{row.meter}, scope {row.scope}, {row.method} ({row.date}). {row.note}"
        if row.privileges not in {None, "none"}:
            text += f" Needs {row.privileges}."
        found.setdefault(row.device, []).append((row.status, text))
    return found


def _gib(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count / GIB:.1f} GiB"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def _switch(on: bool | None) -> str:
    return {True: "on", False: "off", None: UNKNOWN}[on]
