"""Which blocks are run, and the files that they find."""

from __future__ import annotations

from typing import Any

import pytest

from documentation.blocks import BLOCKS, Block

SHELL = ("bash", "console")  # commands alone, or after prompts and with what they print
CONFIGURATION = {"pyproject.toml", "llem.yaml"}
"""Would hold for every block of their document; each has a test of its own."""
TRANSLATED = {"README.zh.md", "docs/zh/getting-started.md"}
"""Have the same code as their originals, which test_names.py makes sure of."""
STUDY = "bench/quant.llem.yaml"


def of(*languages: str) -> list[Any]:
    chosen = [
        one
        for one in BLOCKS
        if one.language in languages
        and one.directive != "not run"
        and one.document not in TRANSLATED
    ]
    return [pytest.param(one, id=str(one)) for one in chosen]


def named_files(block: Block) -> dict[str, str]:
    """Tests, modules and studies that the block's document gives, or that it says there are."""
    same = [one for one in BLOCKS if one.document == block.document]
    files = {one.file: one.text for one in same if one.file and one.file not in CONFIGURATION}
    if STUDY in block.text and STUDY not in files:
        files[STUDY] = "base: {backend: echo}\nsweep: {batch_size: [1]}\n"
    return files
