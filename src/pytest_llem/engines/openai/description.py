"""What is known of a server from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.openai.probe import Probed
    from pytest_llem.engines.openai.process import ServerProcess


def describe(
    config: ExperimentConfig, base_url: str, probed: Probed, process: ServerProcess | None
) -> dict[str, Any]:
    """JSON values only; what a server does not tell is not here."""
    dialect = probed.dialect
    prompt = "ids" if dialect.ids else "text"
    return {
        "engine": "openai",
        "versions": {"server": probed.version},
        "device": config.device,
        "server": {
            "base_url": base_url,
            "models": [dict(one) for one in probed.models],
            "started_here": process is not None,
            "command": None if process is None else process.command,
            "log": None if process is None else str(process.log),
        },
        "model": {"name": config.model, "served_as": dialect.model},
        "effective": {"served_model": dialect.model, "api": dialect.api, "prompt": prompt},
        "generation": {
            "batching": "continuous",
            "decoding": "greedy",
            "api": dialect.api,
            "prompt": prompt,
            "beyond_the_protocol": sorted(dialect.beyond),
            "stamps": "monotonic, after the event loop woke for the bytes",
        },
    }
