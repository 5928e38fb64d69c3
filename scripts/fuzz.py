"""Random input at every door of the project: ``fuzz.py [--seconds 60] [--list] [TARGET…]``.

The doors are in ``tests/fuzzing``. Each has a process of its own, in which atheris (libFuzzer)
looks for input that reaches code that none reached before; without atheris, hypothesis draws it.
What escapes as another error than our own is a finding: it is printed, and kept in
``.fuzz/findings`` with its input. Inputs that reached something new are kept in ``.fuzz/corpus``,
where the next run begins.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fuzzing.target import Target

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".fuzz"
LONGEST = 8192
"""Bytes of an input."""
SLOWEST_S = 60
"""One input that takes longer hangs."""
MOST_MIB = 4096
GRACE_S = 120
"""To import and instrument everything, and to end."""


class Findings:
    """What escaped, each kind once: the type of the error, and where it came from."""

    def __init__(self, folder: Path) -> None:
        """Keep them in *folder*."""
        self._folder = folder
        self._seen: set[str] = set()

    def note(self, error: BaseException, value: object) -> None:
        """Print and keep *error*, which *value* led to, unless one of its kind was seen."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "pytest_llem" in frame.filename] or list(frames)
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        kind = f"{type(error).__name__} in {place}"
        if kind in self._seen:
            return
        self._seen.add(kind)
        text = f"{kind}\n\n{value!r}\n\n{''.join(traceback.format_exception(error))}"
        name = hashlib.sha256(kind.encode()).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
        print(f"    {kind}: {str(error).splitlines()[:1]}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 if there was a finding."""
    asked = _asked(arguments)
    if asked.child:
        _try_one(asked.targets[0], asked.seconds)
        return 0
    names = _names()
    if asked.list:
        print("\n".join(names))
        return 0
    if unknown := sorted(set(asked.targets) - set(names)):
        print(f"{unknown[0]} is no target. Known: {', '.join(names)}.")
        return 2
    if not _has_atheris():
        print("atheris is not installed (pip install atheris), so that hypothesis draws the input")
    bad = [name for name in asked.targets or names if not _try_apart(name, asked.seconds)]
    print(f"{len(bad)} of {len(asked.targets or names)} targets have findings: {' '.join(bad)}")
    return 1 if bad else 0


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="fuzz.py")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="by default all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print the targets")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def _names() -> list[str]:
    from fuzzing.targets import TARGETS

    return list(TARGETS)


def _try_apart(name: str, seconds: int) -> bool:
    """Whether nothing was found."""
    folder = KEPT / "findings" / name
    for old in folder.glob("*"):
        old.unlink()
    print(f"{name}: {seconds} s", flush=True)
    command = [sys.executable, __file__, "--child", f"--seconds={seconds}", name]
    log = KEPT / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as err:
        try:
            done = subprocess.run(
                command, check=False, stderr=err, timeout=seconds + SLOWEST_S + GRACE_S
            )
            status = done.returncode
        except subprocess.TimeoutExpired:
            status = -1
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    print("\n".join(f"    {line}" for line in said if line.startswith("Done ")))
    if status:  # it hung, took all memory, or died
        print(f"    ended with {status}: {log}")
    return not status and not any(folder.glob("*"))


def _try_one(name: str, seconds: int) -> None:
    """Try the target *name* for so long, in this process."""
    if not _has_atheris():
        from fuzzing.targets import TARGETS

        _draw(TARGETS[name], seconds)
        return
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # installed by hand

    with atheris.instrument_imports(include=["pytest_llem", "yaml"]):
        from fuzzing.targets import TARGETS
    target = TARGETS[name]
    corpus = KEPT / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = {
        "max_total_time": seconds,
        "timeout": SLOWEST_S,
        "rss_limit_mb": MOST_MIB,
        "max_len": LONGEST,
        "print_final_stats": 0,
        "artifact_prefix": f"{KEPT}/{name}-",
    }
    options = [f"-{option}={value}" for option, value in limits.items()]
    atheris.Setup([sys.argv[0], *options, str(corpus)], _entry(target), enable_python_coverage=True)
    atheris.Fuzz()


def _entry(target: Target) -> Callable[[bytes], Any]:
    """What takes bytes, and makes of them what the target takes."""
    try_ = _noting(target)
    if target.values is None:
        return try_
    from hypothesis import given

    entered: Callable[[bytes], Any] = given(target.values)(try_).hypothesis.fuzz_one_input  # type: ignore[attr-defined] # added by given
    return entered


def _noting(target: Target) -> Callable[[Any], None]:
    findings = Findings(KEPT / "findings" / target.name)

    def try_(value: Any) -> None:
        try:
            target.tried(value)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            findings.note(error, value)

    return try_


def _draw(target: Target, seconds: int) -> None:
    """Without atheris: draw values until the time is up."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    try_, until, tried = _noting(target), time.monotonic() + seconds, 0
    for seed in target.seeds:
        try_(seed)
    values = st.binary(max_size=LONGEST) if target.values is None else target.values
    while time.monotonic() < until:
        how = settings(
            max_examples=100,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        how(given(values)(try_))()
        tried += 100
    print(f"Done {tried} runs", file=sys.stderr)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    sys.exit(main(sys.argv[1:]))
