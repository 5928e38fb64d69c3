"""What an installed engine can be told, as JSON on standard output: ``probe.py ENGINE``.

Run by the engine's own interpreter, which need not have pytest-llem: the standard library
and the engine are all that is imported.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import json
import os
import sys
import textwrap
from importlib import import_module
from typing import Any

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
}


def vllm() -> tuple[str, dict[str, list[str]]]:
    """Fields of ``EngineArgs``, and of ``SamplingParams`` as far as they are public."""
    version = import_module("vllm").__version__
    arguments = import_module("vllm.engine.arg_utils").EngineArgs
    sampling = import_module("vllm").SamplingParams
    fields = getattr(sampling, "__struct_fields__", None) or _fields(sampling)
    public = [name for name in fields if not name.startswith("_")]
    return version, {"EngineArgs": _fields(arguments), "SamplingParams": public}


def transformers() -> tuple[str, dict[str, list[str]]]:
    """Keyword arguments of ``from_pretrained``, and attributes of ``GenerationConfig``.

    Most keyword arguments are taken out of ``**kwargs``, so the source is read.
    """
    package = import_module("transformers")
    model = import_module("transformers.modeling_utils").PreTrainedModel
    auto = import_module("transformers.models.auto.auto_factory")._BaseAutoModelClass  # noqa: SLF001
    names = _taken(model.from_pretrained) | {"code_revision"} & _taken(auto.from_pretrained)
    config = package.GenerationConfig()
    # Those two describe the file that it was read from.
    own = set(vars(config)) - {"transformers_version", "_from_model_config"}
    public = sorted(name for name in names if not name.startswith("_"))
    return package.__version__, {"from_pretrained": public, "GenerationConfig": sorted(own)}


def tensorrt_llm() -> tuple[str, dict[str, list[str]]]:
    """Fields of the arguments of ``LLM`` for both backends."""
    package = import_module("tensorrt_llm")
    arguments = import_module("tensorrt_llm.llmapi.llm_args")
    classes = [getattr(arguments, name, None) for name in ("TorchLlmArgs", "TrtLlmArgs")]
    names = {name for cls in classes if cls is not None for name in cls.model_fields}
    return package.__version__, {"LLM": sorted(names)}


ENGINES = {"vllm": vllm, "transformers": transformers, "tensorrt_llm": tensorrt_llm}


def _fields(cls: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def _taken(function: Any) -> set[str]:
    """Named parameters, and names that the source takes out of ``kwargs`` or looks for there."""
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {parameter.name for parameter in parameters if parameter.kind in kinds}
    source = textwrap.dedent(inspect.getsource(function))
    return names | {name for node in ast.walk(ast.parse(source)) for name in _looked_up(node)}


def _looked_up(node: ast.AST) -> list[str]:
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="kwargs"), attr="pop" | "get"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return [name]
        case ast.Compare(
            left=ast.Constant(value=str(name)), ops=[ast.In()], comparators=[ast.Name(id="kwargs")]
        ):
            return [name]
    return []


def main(engine: str) -> None:
    """Print the version and the parameters of *engine*, by where they go."""
    os.environ.update(QUIET)
    with contextlib.redirect_stdout(sys.stderr):
        version, parameters = ENGINES[engine]()
    print(json.dumps({"version": version, "parameters": parameters}))  # noqa: T201 - a script


if __name__ == "__main__":
    main(sys.argv[1])
