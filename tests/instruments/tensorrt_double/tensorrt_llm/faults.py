"""Faults of the stand-in, by ``LLEM_TEST_TRT_FAULT``; several are separated by commas."""

from __future__ import annotations

import os


def asked(fault: str) -> bool:
    return fault in os.environ.get("LLEM_TEST_TRT_FAULT", "").split(",")


def at_import() -> None:
    if asked("no-mpi"):
        raise ImportError("libmpi.so.40: cannot open shared object file: No such file or directory")
    if asked("no-driver"):
        raise ImportError("libcuda.so.1: cannot open shared object file: No such file or directory")


def at_load() -> None:
    if asked("oom-load"):
        raise RuntimeError(
            "Executor creation failed due to insufficient GPU memory.\n\nThe following component "
            "could not be created: KV cache"
        )
    if asked("unknown-architecture"):
        raise ValueError("Unknown architecture for AutoModelForCausalLM: LlamaForCausalLM")
    if asked("strange"):
        raise RuntimeError("something that nobody has seen before")


def at_build() -> None:
    if asked("build-fails"):
        raise RuntimeError("Engine building failed, please check the error log.")
