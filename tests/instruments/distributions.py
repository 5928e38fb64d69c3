"""Distributions that were never built: a module and its metadata in a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ENGINE = """
import sys

class {name}Session:
    class tokenizer:
        vocabulary_size = 100
        special_token_ids = frozenset()
        @staticmethod
        def encode(text):
            return [ord(letter) % 100 for letter in text]
    def generate(self, requests):
        import time
        from pytest_llem.engines.engine import Generation, RequestResult
        start = time.monotonic_ns()
        time.sleep(0.01)
        end = time.monotonic_ns()
        return Generation(start, end, tuple(
            RequestResult(one.request_id, len(one.prompt_token_ids), one.output_tokens, None, end, "length")
            for one in requests))
    def synchronize(self):
        pass
    def describe(self):
        return {{"engine": "{registered}"}}
    def close(self):
        pass

class {name}:
    name = "{registered}"
    api_version = 1
    def load(self, config):
        return {name}Session()
"""
"""A module with an engine class; to be formatted with its name and that of the engine."""


def install(  # noqa: PLR0913 - one parameter a property of a distribution
    directory: Path,
    distribution: str,
    modules: Mapping[str, str],
    entry_points: Sequence[tuple[str, str, str]],
    *,
    version: str = "1.0",
    requires: Sequence[str] = (),
) -> None:
    """Put *distribution* into *directory* as an installer would.

    Args:
        directory: a directory of ``sys.path``; made if it is missing.
        distribution: its name.
        modules: source by module name.
        entry_points: kind, name and reference of each component.
        version: its version.
        requires: its requirements.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for module, source in modules.items():
        (directory / f"{module}.py").write_text(source, encoding="utf-8")
    metadata = directory / f"{distribution.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    lines = [f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    (metadata / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    groups: dict[str, list[str]] = {}
    for kind, name, reference in entry_points:
        groups.setdefault(f"pytest_llem.{kind}", []).append(f"{name} = {reference}")
    text = "\n".join("\n".join([f"[{group}]", *lines]) for group, lines in groups.items())
    (metadata / "entry_points.txt").write_text(text + "\n", encoding="utf-8")
