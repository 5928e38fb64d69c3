"""Judging in a process of its own, so that the pytest process never loads scipy."""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryFile, gettempdir
from typing import IO, TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from pytest_llem.baselines.assessment import testable
from pytest_llem.baselines.comparison import Comparison
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.looks import Looks
from pytest_llem.baselines.prior import PRIORS, Prior, Profile
from pytest_llem.baselines.verdict import Judgement
from pytest_llem.errors import IsolationError
from pytest_llem.results.schema import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT_S = 300.0
_LAST_LINES = 5
_SHOWN = 100
_NOT_INHERITED = ("PYTHONINSPECT", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONHOME")


class Request(Stored):
    """What the helper is asked; the comparisons follow, one a line."""

    family_size: int | None
    priors: dict[Profile, Prior]
    looks: Looks | None = None


_COMPARISON = TypeAdapter(Comparison)
_JUDGEMENTS = TypeAdapter(list[Judgement])


def judge_in_helper(
    comparisons: Sequence[Comparison],
    *,
    family_size: int | None = None,
    priors: Mapping[Profile, Prior] = PRIORS,
    looks: Looks | None = None,
) -> list[Judgement]:
    """As :func:`~pytest_llem.baselines.judging.judge`, in a process that ends afterwards.

    No process is started if there is nothing to compare.

    Raises:
        IsolationError: the helper could not be started, failed, or did not end in time.
    """
    if not any(map(testable, comparisons)):
        return judge(comparisons, family_size=family_size, priors=priors)
    request = Request(family_size=family_size, priors=dict(priors), looks=looks)
    with TemporaryFile() as file:
        _write(file, request, comparisons)
        answer = _ask(file)
    try:
        return _JUDGEMENTS.validate_json(answer)
    except ValidationError as error:
        raise IsolationError(
            f"the process that judges answered what is no judgement: {_ends(answer)}. "
            "Something prints to standard output at the start of Python, perhaps a sitecustomize."
        ) from error


def _write(file: IO[bytes], request: Request, comparisons: Sequence[Comparison]) -> None:
    try:
        file.write(request.model_dump_json().encode())
        for comparison in comparisons:
            file.write(b"\n" + _COMPARISON.dump_json(comparison))
        file.seek(0)
    except OSError as error:
        raise IsolationError(
            f"what is to be judged could not be handed over: {error}. Make room in {gettempdir()}, "
            "or set TMPDIR."
        ) from error


def _ends(answer: bytes) -> str:
    """Both ends: what Python prints first may come out last."""
    return repr(answer) if len(answer) <= _SHOWN else f"{answer[:_SHOWN]!r} … {answer[-_SHOWN:]!r}"


def _ask(request: IO[bytes]) -> bytes:
    command = [sys.executable, "-P", "-m", __name__]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, this module
            command,
            stdin=request,
            capture_output=True,
            timeout=TIMEOUT_S,
            env=_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise IsolationError(
            f"the process that judges did not run: {error}. Check that {sys.executable or 'Python'} starts."
        ) from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        raise IsolationError(
            f"the process that judges ended with {done.returncode}: {' | '.join(last) or 'no message'}. "
            "Check that scipy can be imported in this environment."
        )
    return done.stdout


def _environment() -> dict[str, str]:
    """This environment, with the modules of this process in the same order."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - of ""
    return {**kept, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


def main() -> None:
    """Answer the request on standard input, which is read line by line to save memory."""
    request = Request.model_validate_json(sys.stdin.buffer.readline())
    judgements = judge(
        [_COMPARISON.validate_json(line) for line in sys.stdin.buffer],
        family_size=request.family_size,
        priors=request.priors,
        looks=request.looks,
    )
    sys.stdout.buffer.write(_JUDGEMENTS.dump_json(judgements))


if __name__ == "__main__":
    main()
