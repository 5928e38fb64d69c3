"""The engine's section of an experiment; imports no engine, since pytest reads it too."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pytest_llem.config.added import AddedSection

Count = Annotated[int, Field(ge=1)]


class OnnxOptions(AddedSection):
    """Settings of an ONNX Runtime session; ``extra`` has further ones, by the library's names."""

    name: ClassVar[str] = "onnx"
    api_version: ClassVar[int] = 1

    intra_op_num_threads: Count | None = None
    """Threads of one operator; ``None`` is ``OMP_NUM_THREADS``, else all but one of the cores."""
    graph_optimization_level: (
        Literal["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"]
        | None
    ) = None
    """How much the graph is rewritten; ``None`` leaves it to the library."""
    enable_cpu_mem_arena: bool | None = None
    """Whether memory is kept for later runs; ``None`` leaves it to the library."""
