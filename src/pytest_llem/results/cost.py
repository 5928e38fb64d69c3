"""What experiments took: time, energy and tokens as measured, money and carbon as declared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_llem.config.cost import Declared, Tariff
from pytest_llem.devices.meter import Scope
from pytest_llem.results.schema import Outcome, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_llem.energy.measured import Measured, WindowSample
    from pytest_llem.energy.spent import Spent
    from pytest_llem.results.schema import ExperimentResult

COST_VERSION = 1
JOULES_PER_KWH = 3.6e6
SECONDS_PER_HOUR = 3600
MILLION = 1e6


class Process(NamedTuple):
    """A process of an experiment, and what was read of it from its first reading to its last."""

    result: ExperimentResult
    spent: Spent | None
    """``None`` if its raw data is not there or cannot be read."""


class Money(Stored):
    """What energy and devices come to with what was declared; ``None`` where that is missing.

    The two prices are of two ways to pay, and are never added: a rented GPU comes with its power.
    """

    energy_price: float | None
    """Of the energy with the building's overhead, in the currency."""
    gpu_price: float | None
    """Of the GPUs' time, in the currency."""
    carbon_gco2e: float | None
    """In grams of CO2 equivalent."""


class Taken(Stored):
    """What some processes took together; ``None`` is unknown."""

    processes: int
    time_s: float | None
    """From the start of each process to its end, added; ``None`` if that is known of none."""
    time_unknown: int
    """Processes that are not in ``time_s``, as they had no process of their own."""
    windows_s: float
    """What of it was in windows."""
    energy_j: float | None
    """Energy of all that was read, loading, warm-up and windows alike; of a process of which only
    windows are known, of these. ``None`` if nothing is known."""
    energy_windows_only: int
    """Processes of which only the windows are in ``energy_j``."""
    energy_unknown: int
    """Processes that are not in ``energy_j``."""
    energy_problems: tuple[str, ...] = ()
    """Why the energy of all that was read is not known of some of them, each reason once."""
    windows_energy_j: float | None
    """Energy of the windows; ``None`` if any is unknown."""
    unread_s: float | None
    """What of ``time_s`` nobody read a device in: the start of processes and their end, and all of
    those of which only windows are known."""
    estimated: bool
    """Whether the energy is an estimate rather than a measurement."""
    scopes: tuple[Scope, ...]
    """What the energy covers; anything else is not in it."""
    shared: bool
    """Whether others could use the devices meanwhile, so that energy may be counted twice."""
    input_tokens: int | None
    """Of windows; ``None`` if they are known of none."""
    output_tokens: int | None
    windows_without_tokens: int
    """Windows that are not in ``output_tokens``, as of a function that says nothing of them."""
    gpu_hours: float | None
    """Time of processes by the GPUs that each had; 0 without any, ``None`` if known of none."""
    gpu_unknown: int
    """Processes that are not in ``gpu_hours``."""
    money: Money


class PerMillion(Stored):
    """What a million output tokens come to in the steady state of windows."""

    energy_kwh: float
    money: Money


class ExperimentCost(Stored):
    """One experiment with all its processes."""

    run_id: str
    name: str
    backend: str
    model: str
    outcome: Outcome
    """Of the process that came out worst: what failed was paid for, too."""
    taken: Taken
    per_million_output_tokens: PerMillion | None
    """``None`` where energy or tokens are unknown."""


class Total(Stored):
    """Several experiments together; estimates and measurements are never added up."""

    of: Literal["all", "engine", "model", "run"]
    name: str
    experiments: int
    taken: Taken


class CostReport(Stored):
    """What experiments took, and what that comes to."""

    schema_version: Literal[1] = 1
    declared: Tariff
    """By somebody: nothing of it was measured, and nothing has a default."""
    origins: dict[str, str]
    """Who declared what."""
    experiments: tuple[ExperimentCost, ...]
    totals: tuple[Total, ...]


def cost_report(experiments: Iterable[Sequence[Process]], declared: Declared) -> CostReport:
    """What *experiments*, each with all its processes, took.

    Without a PUE, energy is that of the devices alone.
    """
    tariff = declared.tariff
    kept = [list(processes) for processes in experiments]
    rows = [(processes, _experiment(processes, tariff)) for processes in kept]
    return CostReport(
        declared=tariff,
        origins=dict(declared.origins),
        experiments=tuple(row for _, row in rows),
        totals=tuple(_totals(rows, tariff)),
    )


Row = tuple[list[Process], ExperimentCost]


def _totals(rows: Sequence[Row], tariff: Tariff) -> Iterable[Total]:
    of: dict[Literal["all", "engine", "model", "run"], Callable[[ExperimentCost], str]] = {
        "engine": lambda row: row.backend,
        "model": lambda row: row.model,
        "run": lambda row: row.run_id,
        "all": lambda _: "",
    }
    for kind, name_of in of.items():
        for name, group in _apart(rows, name_of):
            processes = [one for each, _ in group for one in each]
            taken = _taken(processes, tariff)
            yield Total(of=kind, name=name, experiments=len(group), taken=taken)


def _apart(
    rows: Sequence[Row], name_of: Callable[[ExperimentCost], str]
) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each name, estimates apart from measurements.

    Those without energy are with whatever their name has, else with measurements.
    """
    kinds: dict[str, set[bool]] = {}
    for _, one in rows:
        if one.taken.energy_j is not None:
            kinds.setdefault(name_of(one), set()).add(one.taken.estimated)
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in rows:
        name, taken = name_of(row[1]), row[1].taken
        estimated = kinds.get(name) == {True} if taken.energy_j is None else taken.estimated
        groups.setdefault((name, estimated), []).append(row)
    yield from ((name, group) for (name, _), group in groups.items())


def _experiment(processes: Sequence[Process], tariff: Tariff) -> ExperimentCost:
    results = [one.result for one in processes]
    worst = next((one for one in results if one.outcome != "passed"), results[0])
    first = results[0]
    return ExperimentCost(
        run_id=first.run_id,
        name=first.full_name,
        backend=first.config.backend,
        model=first.config.model,
        outcome=worst.outcome,
        taken=_taken(processes, tariff),
        per_million_output_tokens=_per_million(results, tariff),
    )


def _taken(processes: Sequence[Process], tariff: Tariff) -> Taken:
    results = [one.result for one in processes]
    measured = [one for result in results for one in result.measurements]
    times = [result.wall_s for result in results]
    energies = [_energy_j(one) for one in processes]
    time_s, energy_j = _known_sum(times), _known_sum(energies)
    hours = [_gpu_hours(one) for one in processes]
    gpu_hours = _known_sum(hours)
    written = [window.output_tokens for one in measured for window in one.windows]
    return Taken(
        processes=len(processes),
        time_s=time_s,
        time_unknown=times.count(None),
        windows_s=math.fsum(sample.duration_s for one in measured for sample in one.windows),
        energy_j=energy_j,
        energy_windows_only=sum(
            _whole_j(one) is None and energy is not None
            for one, energy in zip(processes, energies, strict=True)
        ),
        energy_unknown=energies.count(None),
        energy_problems=tuple(
            dict.fromkeys(
                one.spent.reason for one in processes if one.spent is not None and one.spent.reason
            )
        ),
        windows_energy_j=_of_windows(measured, lambda sample: sample.energy_j),
        unread_s=_unread_s(processes),
        estimated=any(_is_estimate(one) for one in processes),
        scopes=tuple(dict.fromkeys(scope for one in processes for scope in _scopes(one))),
        shared=any(_is_shared(result) for result in results),
        input_tokens=_counted([w.input_tokens for one in measured for w in one.windows]),
        output_tokens=_counted(written),
        windows_without_tokens=written.count(None),
        gpu_hours=gpu_hours,
        gpu_unknown=hours.count(None),
        money=_money(energy_j, gpu_hours, tariff),
    )


def _money(energy_j: float | None, gpu_hours: float | None, tariff: Tariff) -> Money:
    kwh = None if energy_j is None else energy_j / JOULES_PER_KWH * (tariff.pue or 1.0)
    return Money(
        energy_price=_product(kwh, tariff.price_per_kwh),
        gpu_price=_product(gpu_hours, tariff.price_per_gpu_hour),
        carbon_gco2e=_product(kwh, tariff.grid_gco2e_per_kwh),
    )


def _per_million(results: Sequence[ExperimentResult], tariff: Tariff) -> PerMillion | None:
    """By the headlines of the processes that passed."""
    headlines = [one.headline for one in results if one.outcome == "passed"]
    joules = [one.energy_per_output_token_j for one in headlines if one is not None]
    rates = [one.output_tokens_per_s for one in headlines if one is not None]
    token_j = _mean(joules)
    if token_j is None:
        return None
    rate, gpus = _mean(rates), _gpus(results[0])
    hours = None if gpus is None or not rate else gpus * MILLION / rate / SECONDS_PER_HOUR
    energy_j = token_j * MILLION
    return PerMillion(energy_kwh=energy_j / JOULES_PER_KWH, money=_money(energy_j, hours, tariff))


def _energy_j(process: Process) -> float | None:
    """Of all that was read, else of the windows."""
    whole_j = _whole_j(process)
    if whole_j is not None:
        return whole_j
    return _of_windows(process.result.measurements, lambda sample: sample.energy_j)


def _whole_j(process: Process) -> float | None:
    return None if process.spent is None else process.spent.energy_j


def _unread_s(processes: Sequence[Process]) -> float | None:
    """Time of processes in which no energy is known."""
    unread = []
    for result, spent in processes:
        if result.wall_s is None:
            return None
        windows_s = math.fsum(w.duration_s for one in result.measurements for w in one.windows)
        known_s = windows_s if spent is None or spent.energy_j is None else spent.read_s
        unread.append(max(result.wall_s - known_s, 0.0))
    return math.fsum(unread)


def _is_estimate(process: Process) -> bool:
    how = process.result.measurement_methodology
    if how is not None:
        return how.method == "estimated"
    return process.spent is not None and process.spent.method == "estimated"


def _scopes(process: Process) -> tuple[Scope, ...]:
    how = process.result.measurement_methodology
    if how is not None:
        return (how.scope,)
    return () if process.spent is None else (process.spent.scope,)


def _is_shared(result: ExperimentResult) -> bool:
    return result.measurement_methodology is not None and result.measurement_methodology.shared


def _gpu_hours(process: Process) -> float | None:
    gpus, time_s = _gpus(process.result), process.result.wall_s
    if gpus == 0:
        return 0.0
    return None if gpus is None or time_s is None else gpus * time_s / SECONDS_PER_HOUR


def _gpus(result: ExperimentResult) -> int | None:
    """GPUs that the experiment had, as its meter or its engine says; ``None`` is unknown."""
    how = result.measurement_methodology
    if how is not None and how.scope in {"gpu", "module"}:
        return len(how.devices)
    on_cpu = result.engine is not None and result.engine.get("device_type") == "cpu"
    return 0 if on_cpu else None


def _counted(tokens: Sequence[int | None]) -> int | None:
    known = [count for count in tokens if count is not None]
    return sum(known) if known else None


def _of_windows(
    measured: Sequence[Measured], of: Callable[[WindowSample], float | None]
) -> float | None:
    """The sum over all windows; ``None`` if there are none, or it is unknown of any."""
    values = [of(window) for one in measured for window in one.windows]
    return None if None in values else _known_sum(values)


def _known_sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _mean(values: Sequence[float | None]) -> float | None:
    total = None if None in values else _known_sum(values)
    return None if total is None else total / len(values)


def _product(amount: float | None, price: float | None) -> float | None:
    return None if amount is None or price is None else amount * price
