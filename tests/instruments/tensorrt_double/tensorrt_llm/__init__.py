"""A stand-in for TensorRT-LLM 1.2.1: its arguments and results, and none of its arithmetic.

Names and defaults are those of NVIDIA's published sources (github.com/NVIDIA/TensorRT-LLM,
``tensorrt_llm/llmapi`` of the development of 1.2); unknown arguments are refused as there. Tokens
come from a counter in a process of its own, which keeps times as the real worker does.

``LLEM_TEST_TRT_VERSION`` is the version it claims. ``LLEM_TEST_TRT_FAULT`` names a fault; see ``faults.py``.
"""

import os

from tensorrt_llm import faults

__version__ = os.environ.get("LLEM_TEST_TRT_VERSION", "1.2.1")
faults.at_import()

from tensorrt_llm.llmapi import LLM, SamplingParams  # noqa: E402 - a faulty library fails first

__all__ = ["LLM", "SamplingParams", "__version__"]
