"""One measurement of several fresh processes, as one: the process is the unit of replication."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llem.energy.figures import (
    LONE_WINDOW,
    UNKNOWN,
    WORK,
    completed,
    counted,
    larger,
    terms_of,
)
from pytest_llem.energy.known import known_mean
from pytest_llem.energy.measured import ratio
from pytest_llem.energy.nested import nested_half_width_95
from pytest_llem.energy.phases.pooled import pooled_phases
from pytest_llem.energy.student import mean_and_half_width_95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.marks import Idle
    from pytest_llem.energy.measured import (
        Figures,
        Floor,
        FloorFigures,
        Measured,
        Phase,
        ScopeFigures,
    )

    Terms = Sequence[Sequence[float]]

Kind = TypeVar("Kind", bound="Figures")
TIMES = ("duration_s", "ttft_s", "itl_s")


def pooled(measured: Sequence[Measured]) -> Measured:
    """The mean over *measured*, the same measurement in each of several processes.

    Every process counts the same, however many windows it has. The uncertainty is the
    t interval of that mean over processes, in which the windows are nested, or what windows
    and instruments show inside of the processes where that is larger. Unlike variances of
    processes, such as those of unlike numbers of windows, make it wider rather than narrower
    (Bakirov and Székely 2006, Journal of Mathematical Sciences 139). What is unknown in one
    is unknown.
    """
    first = measured[0]
    if len(measured) == 1:
        return first
    windows = [counted(one.samples()) for one in measured]
    passes = [terms_of(some, "passes") for some in windows]
    tokens = [terms_of(some, "output_tokens") for some in windows]
    figures = _figures(measured, passes, tokens)
    net_j, net_u_j = _net(measured, passes, figures["energy_uncertainty_j"])
    prefill, decode = _phases(figures, measured)
    return first.model_copy(
        update={
            **figures,
            "prefill": prefill,
            "decode": decode,
            "windows": tuple(window for one in measured for window in one.windows),
            "steady_state_window": None,
            "valid": all(one.valid for one in measured),
            "warnings": _warnings(measured),
            "floor": _floor([one.floor for one in measured]),
            "idle": _idle([one.idle for one in measured]),
            "net_energy_j": net_j,
            "net_energy_uncertainty_j": net_u_j,
            "beside": tuple(_beside(measured)),
            "total": _alike([one.total for one in measured]),
        }
    )


def _warnings(measured: Sequence[Measured]) -> tuple[str, ...]:
    """Once each; a mean over processes has their scatter in its interval, however few windows."""
    said = (text for one in measured for text in one.warnings)
    return tuple(dict.fromkeys(text for text in said if text != LONE_WINDOW))


def _figures(figures: Sequence[Figures], passes: Terms = (), tokens: Terms = ()) -> dict[str, Any]:
    """Mean figures.

    Args:
        figures: of each process.
        passes: energies of a pass, by the windows that the figures of each come from, where known.
        tokens: the same of a token.
    """
    energy_j, uncertainty_j = _mean_of(figures, "energy_j", "energy_uncertainty_j", passes)
    if energy_j is None:
        return dict(UNKNOWN)
    works = {name: known_mean([getattr(one, name) for one in figures]) for name in WORK}
    known = {
        "energy_j": energy_j,
        "energy_uncertainty_j": uncertainty_j,
        **{name: known_mean([getattr(one, name) for one in figures]) for name in TIMES},
        **{name: None if work is None else round(work) for name, work in works.items()},
    }
    return {**completed(known), **_per_work(figures, tokens)}


def _per_work(figures: Sequence[Figures], tokens: Terms) -> dict[str, float | None]:
    """Per token and request; of processes whose passes are not the same work, each has its own."""
    names = "energy_per_output_token_j", "energy_per_output_token_uncertainty_j"
    token_j, token_u_j = _mean_of(figures, *names, tokens)
    return {
        names[0]: token_j,
        names[1]: token_u_j,
        "energy_per_request_j": known_mean([one.energy_per_request_j for one in figures]),
        "output_tokens_per_s": ratio(
            known_mean([_output_tokens(one) for one in figures]),
            known_mean([one.duration_s for one in figures]),
        ),
    }


def _output_tokens(one: Figures) -> float | None:
    """Of a pass; not rounded, as the field is."""
    if one.output_tokens_per_s is None or one.duration_s is None:
        return None
    return one.output_tokens_per_s * one.duration_s


def _net(
    measured: Sequence[Measured], passes: Terms, gross_u_j: float | None
) -> tuple[float | None, float | None]:
    """Mean energy beyond idling, and the half-width of its 95 % interval.

    What idling draws is known once for all processes of a run: its error does not average out.
    """
    net_j, net_u_j = _mean_of(measured, "net_energy_j", "net_energy_uncertainty_j", passes)
    idle_u_j = known_mean([_idle_u_j(one) for one in measured])
    if net_j is None or gross_u_j is None or idle_u_j is None:
        return net_j, net_u_j
    return net_j, larger(net_u_j, math.hypot(gross_u_j, idle_u_j))


def _idle_u_j(one: Measured) -> float | None:
    """Half-width of what idling takes in a pass."""
    if one.idle is None or one.idle.power_uncertainty_w is None or one.duration_s is None:
        return None
    return one.idle.power_uncertainty_w * one.duration_s


def _idle(seen: Sequence[Idle | None]) -> Idle | None:
    """Mean idle power; why it is not known where it is not of one process."""
    known = [one for one in seen if one is not None]
    if len(known) < len(seen):
        return None
    power_w, spread_w = _mean_of(known, "power_w", "power_uncertainty_w")
    if power_w is None:
        return next(one for one in known if one.power_w is None)
    half_w = larger(spread_w, known_mean([one.power_uncertainty_w for one in known]))
    return known[0].model_copy(update={"power_w": power_w, "power_uncertainty_w": half_w})


def _mean_of(
    holders: Sequence[object],
    name: str,
    uncertainty: str,
    windows: Terms = (),
) -> tuple[float | None, float | None]:
    """Mean over processes of a figure, and the half-width of its 95 % interval.

    Args:
        holders: one of each process.
        name: of the figure.
        uncertainty: of its half-width.
        windows: terms that the figure of each process is the mean of, where they are known.
    """
    values = [getattr(one, name) for one in holders]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None, None
    mean, spread = mean_and_half_width_95(known)
    stated = [getattr(one, uncertainty) for one in holders]
    return mean, larger(spread, nested_half_width_95(windows or [()] * len(stated), stated))


def _phases(whole: dict[str, Any], measured: Sequence[Measured]) -> tuple[Phase, Phase]:
    means = _figures([one.prefill for one in measured]), _figures([one.decode for one in measured])
    return pooled_phases(whole, means, [(one.prefill, one.decode) for one in measured])


def _of_kind(figures: Sequence[Kind]) -> Kind:
    return figures[0].model_copy(update=_figures(figures))


def _alike(figures: Sequence[Kind | None]) -> Kind | None:
    known = [one for one in figures if one is not None]
    return _of_kind(known) if known and len(known) == len(figures) else None


def _beside(measured: Sequence[Measured]) -> list[ScopeFigures]:
    """What every process read beside the headline, by meter and scope."""
    found = [{(one.meter, one.scope): one for one in each.beside} for each in measured]
    return [
        _of_kind([each[kind] for each in found])
        for kind in found[0]
        if all(kind in each for each in found)
    ]


def _floor(floors: Sequence[Floor | None]) -> Floor | None:
    """The floor is the same for all; how far above it they lie is the mean."""
    known = [floor for floor in floors if floor is not None]
    if not known or len(known) < len(floors):
        return None
    decodes = [floor.decode for floor in known if floor.decode is not None]
    decode = _above(decodes) if len(decodes) == len(known) else {}
    changed = {"decode": decodes[0].model_copy(update=decode)} if decode else {}
    return known[0].model_copy(update={**_above(known), **changed})


def _above(floors: Sequence[FloorFigures]) -> dict[str, float | None]:
    return {"times_reference": known_mean([floor.times_reference for floor in floors])}
