"""What an engine's adapter adds to the engine's own time, each with the other in turn.

The built-in model, a batch of eight, 128 tokens in and 64 out, in float32 on the CPU. *Bare* is
what a user of the library would call with the same prompts and lengths; *ours* is the session's
``generate`` and the pass that is made of it. Rounds alternate, and which of both comes first
alternates too, so that what drifts falls on both alike. An engine with an environment of its own
(``LLEM_VLLM_PYTHON``, ``.venv-vllm``) is asked there.

    python benchmarks/adapters.py [--rounds N] [transformers] [vllm] [vllm-streaming]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from machine import describe_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Request

    Call = Callable[[], object]

ROOT = Path(__file__).resolve().parent.parent
BATCH, INPUT, OUTPUT = 8, 128, 64
TARGET = 0.02
ROUNDS, WARM_UP = 40, 5
QUANTILES = (0.025, 0.975)
RESAMPLES = 2000
ENGINES = ("transformers", "vllm", "vllm-streaming")


class Pair(NamedTuple):
    """Seconds of one round: wall, and CPU of this process where all of the engine is in it."""

    bare_s: float
    ours_s: float
    bare_cpu_s: float
    ours_cpu_s: float


def experiment(engine: str) -> ExperimentConfig:
    from pytest_llem.config.experiment import ExperimentConfig

    streaming = engine.endswith("streaming")
    section = {"enforce_eager": True, "max_model_len": 1024, "streaming": streaming}
    return ExperimentConfig(
        backend=engine.partition("-")[0],
        dtype="float32",
        device="cpu",
        batch_size=BATCH,
        input_tokens=INPUT,
        output_tokens=OUTPUT,
        vllm={**section, "multiprocessing": streaming},
    )


def measured(bare: Call, ours: Call, rounds: int) -> list[Pair]:
    """Both in turn, after a warm-up of each."""
    for _ in range(WARM_UP):
        bare(), ours()
    pairs = []
    for number in range(rounds):
        first, second = (bare, ours) if number % 2 else (ours, bare)
        one, other = timed(first), timed(second)
        (bare_s, bare_cpu_s), (ours_s, ours_cpu_s) = (one, other) if number % 2 else (other, one)
        pairs.append(Pair(bare_s, ours_s, bare_cpu_s, ours_cpu_s))
    return pairs


def timed(call: Call) -> tuple[float, float]:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    call()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


def share(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Ours over bare less one, with its 95 % interval by resampling rounds.

    Of lower quartiles: what disturbs a round only ever makes it longer.
    """
    drawn = random.Random(0)
    found = sorted(_share(drawn.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    low, high = (found[round(at * (RESAMPLES - 1))] for at in QUANTILES)
    return _share(pairs), low, high


def _share(pairs: Sequence[tuple[float, float]]) -> float:
    bare, ours = (sorted(column)[len(column) // 4] for column in zip(*pairs, strict=True))
    return float(ours / bare - 1)


@contextlib.contextmanager
def transformers_calls(config: ExperimentConfig) -> Iterator[tuple[Call, Call]]:
    from pytest_llem.engines.transformers import TransformersEngine

    session = TransformersEngine().load(config)
    requests = build(config, session)
    loaded = session._open()  # noqa: SLF001 - the same model, called as its users call it
    ids = loaded.torch.tensor([list(request.prompt_token_ids) for request in requests])
    mask = loaded.torch.ones_like(ids)
    settings = loaded.generation_config(OUTPUT)

    def bare() -> object:
        with loaded.torch.inference_mode():
            return loaded.model.generate(ids, attention_mask=mask, generation_config=settings)

    yield bare, lambda: passed(session, requests)
    session.close()


@contextlib.contextmanager
def vllm_calls(config: ExperimentConfig) -> Iterator[tuple[Call, Call]]:
    """The bare engine is the same one as ``LLM`` makes it by itself: without statistics."""
    from pytest_llem.engines.vllm.engine import VllmEngine

    session = VllmEngine().load(config)
    requests = build(config, session)
    vllm, llm = session._vllm, session._open()._llm  # type: ignore[attr-defined] # noqa: SLF001 - the engine behind the session
    prompts = [{"prompt_token_ids": list(request.prompt_token_ids)} for request in requests]
    asked = vllm.SamplingParams(temperature=0, max_tokens=OUTPUT, ignore_eos=True, detokenize=False)

    def bare() -> object:
        with as_by_itself(llm.llm_engine):
            return llm.generate(prompts, asked, use_tqdm=False)

    yield bare, lambda: passed(session, requests)
    session.close()


@contextlib.contextmanager
def as_by_itself(engine: Any) -> Iterator[None]:
    """An engine that keeps no statistics and whose steps nobody watches."""
    processor = engine.output_processor
    keepers = (engine, processor, engine.engine_core.engine_core.scheduler)
    watching = processor.process_outputs
    del processor.process_outputs
    for keeper in keepers:
        keeper.log_stats = False
    yield
    for keeper in keepers:
        keeper.log_stats = True
    processor.process_outputs = watching


@contextlib.contextmanager
def streaming_calls(config: ExperimentConfig) -> Iterator[tuple[Call, Call]]:
    """The bare engine is the same one, without anybody watching its steps."""
    from pytest_llem.engines.vllm.engine import VllmEngine

    session = VllmEngine().load(config)
    requests = build(config, session)
    vllm, serving = session._vllm, session._open()  # noqa: SLF001 - the engine behind the session
    engine, loop = serving._engine, serving._loop  # type: ignore[attr-defined] # noqa: SLF001 - its own
    watching = engine.output_processor.process_outputs
    numbers = iter(range(1_000_000))

    async def one(request: Request) -> int:
        asked = vllm.SamplingParams(
            temperature=0,
            max_tokens=OUTPUT,
            ignore_eos=True,
            detokenize=False,
            output_kind=vllm.sampling_params.RequestOutputKind.DELTA,
        )
        prompt = {"prompt_token_ids": list(request.prompt_token_ids)}
        count = 0
        async for answer in engine.generate(prompt, asked, f"bare-{next(numbers)}"):
            count += len(answer.outputs[0].token_ids)
        return count

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*map(one, requests))

    def bare() -> object:
        del engine.output_processor.process_outputs
        try:
            return loop.run_until_complete(all_of_them())
        finally:
            engine.output_processor.process_outputs = watching

    yield bare, lambda: passed(session, requests)
    session.close()


CALLS = {
    "transformers": transformers_calls,
    "vllm": vllm_calls,
    "vllm-streaming": streaming_calls,
}


def build(config: ExperimentConfig, session: Any) -> list[Request]:
    from pytest_llem.workloads.batch import build_requests

    return build_requests(config, session.tokenizer)


def passed(session: Any, requests: Sequence[Request]) -> object:
    from pytest_llem.measure.work import pass_of

    return pass_of(session.generate(requests))


def report(engine: str, rounds: int) -> bool:
    """Print what *engine*'s adapter adds; whether that is clearly more than the target."""
    with CALLS[engine](experiment(engine)) as (bare, ours):
        pairs = measured(bare, ours, rounds)
    wall = share([(pair.bare_s, pair.ours_s) for pair in pairs])
    print(
        f"{engine}: bare {1e3 * statistics.median(pair.bare_s for pair in pairs):.1f} ms, ours "
        f"{1e3 * statistics.median(pair.ours_s for pair in pairs):.1f} ms a batch, "
        f"{written(wall)} of wall time ({rounds} rounds)"
    )
    decides = wall
    if not engine.endswith("streaming"):
        decides = share([(pair.bare_cpu_s, pair.ours_cpu_s) for pair in pairs])
        print(f"{engine}: {written(decides)} of CPU time, which neighbours disturb less")
    return decides[1] > TARGET


def written(found: tuple[float, float, float]) -> str:
    middle, low, high = (f"{value:+.2%}" for value in found)
    return f"{middle} (95 % interval {low} to {high})"


def interpreter(engine: str) -> str | None:
    """Where *engine* is installed; ``None`` is nowhere."""
    package = engine.partition("-")[0]
    if importlib.util.find_spec(package) is not None:
        return sys.executable
    own = os.environ.get(f"LLEM_{package.upper()}_PYTHON") or ROOT / f".venv-{package}/bin/python"
    return str(own) if Path(own).exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=", ".join(ENGINES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    too_slow = False
    print(describe_machine())
    for engine in asked.engines or ENGINES:
        python = interpreter(engine)
        if python is None:
            print(f"{engine}: not installed here")
        elif python != sys.executable:
            command = [python, __file__, "--rounds", str(asked.rounds), engine]
            too_slow |= bool(subprocess.run(command, check=False).returncode)
        else:
            too_slow |= report(engine, asked.rounds)
    print(f"at most {TARGET:.0%} is the target{': missed' if too_slow else ''}")
    sys.exit(too_slow)


if __name__ == "__main__":
    main()
