"""Which rules hold for which experiment, from everything that was declared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pytest_llem.baselines.metrics import metric_named
from pytest_llem.baselines.rules import OFF, Rule, parse_rule
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Gate:
    """One declaration: a rule, or that there is none, for all experiments or some."""

    metric: str
    rule: Rule | None
    """``None`` takes the gate away that was declared with less precedence."""
    pattern: str | None
    """Glob of experiments; ``None`` is all."""

    def applies_to(self, node_id: str) -> bool:
        """Whether it is about the experiment *node_id*."""
        return self.pattern is None or matches(self.pattern, node_id)


def parse_gate(text: str) -> Gate:
    """The gate that ``METRIC:TOLERANCE`` or ``METRIC:TOLERANCE@GLOB`` says; ``off`` is a tolerance.

    Raises:
        ConfigError: there is no such metric, or the tolerance or the glob makes no sense.
    """
    said, at, pattern = text.partition("@")
    if at and not pattern.strip():
        raise ConfigError(
            f"the gate {text!r} names no experiments behind its @. Write a pattern, as in "
            "ttft_s:+20ms@bench/test_chat.py*, or leave the @ out."
        )
    scope = pattern.strip() if at else None
    name, _, tolerance = said.partition(":")
    if tolerance.strip() == OFF:
        return Gate(metric_named(name.strip()).name, None, scope)
    rule = parse_rule(said.strip())
    return Gate(rule.metric, rule, scope)


class Rulebook:
    """Every gate of a run; of several for one metric that of the highest precedence holds.

    From weakest to strongest: configuration, markers (the closest strongest), options.
    Within each, what is written later is stronger.
    """

    def __init__(self, configured: Iterable[str] = (), asked: Iterable[str] = ()) -> None:
        """A book of gates, each as :func:`parse_gate` takes it.

        Raises:
            ConfigError: one of them makes no sense.
        """
        self._configured = [parse_gate(text) for text in configured]
        self._asked = [parse_gate(text) for text in asked]

    def rules(self, node_id: str, marked: Iterable[str] = ()) -> tuple[Rule, ...]:
        """The rules of one experiment, with the gates of its markers, the closest last.

        Raises:
            ConfigError: a marker's gate makes no sense.
        """
        gates = [*self._configured, *map(parse_gate, marked), *self._asked]
        held: dict[tuple[str, bool], Rule] = {}
        for gate in gates:
            if gate.applies_to(node_id):
                _hold(held, gate)
        return tuple(held.values())


def _hold(held: dict[tuple[str, bool], Rule], gate: Gate) -> None:
    """Take *gate* over what was declared with less precedence; ``off`` ends a limit, too."""
    if gate.rule is None:
        for kind in (False, True):
            held.pop((gate.metric, kind), None)
    else:
        held[gate.rule.key] = gate.rule


def matches(pattern: str, node_id: str) -> bool:
    """Whether *pattern* names an experiment: its node id, its function, its class or its file.

    ``*`` stands for anything, ``?`` for one character; brackets are those of node ids.
    """
    function, *_ = node_id.partition("[")
    parts = function.split("::")
    names = [node_id, *("::".join(parts[: count + 1]) for count in range(len(parts)))]
    return any(_compiled(pattern).fullmatch(name) for name in names)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each part between stars is looked for once, behind the one before (as in ``fnmatch``).

    With ``.*`` alone, a handful of stars takes longer than anyone waits.
    """
    first, *rest = (_literal(part) for part in re.split(r"\*+", pattern))
    between = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{between}.*{rest[-1]}" if rest else first, re.DOTALL)


def _literal(part: str) -> str:
    return "".join("." if sign == "?" else re.escape(sign) for sign in part)
