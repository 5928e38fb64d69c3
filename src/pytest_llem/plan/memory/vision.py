"""The part of a model that reads pictures, which is loaded whether or not there are any."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llem.plan.memory.blocks import Block, linear
from pytest_llem.plan.memory.facts import ModelFacts

SIGLIP = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
}
"""What transformers' ``SiglipVisionConfig`` takes where a configuration says nothing."""


def vision_blocks(facts: ModelFacts) -> list[Block]:
    """Blocks of Gemma 3's picture tower (SigLIP) and of what leads from it to the text.

    Empty for all other models.
    """
    given = facts.raw.get("vision_config")
    if facts.raw.get("model_type") != "gemma3" or not isinstance(given, Mapping):
        return []
    tower = ModelFacts({**SIGLIP, **given})
    hidden, width = tower.number("hidden_size"), tower.number("intermediate_size")
    layers, patch = tower.number("num_hidden_layers"), tower.number("patch_size")
    patches = (tower.number("image_size") // patch) ** 2
    layer = 4 * hidden * (hidden + 1) + hidden * (width + 1) + width * (hidden + 1) + 4 * hidden
    counts = (
        hidden * (tower.number("num_channels") * patch**2 + 1),
        patches * hidden,
        layers * layer,
        2 * hidden,
        *((_head(hidden, width),) if tower.flag("vision_use_head", default=True) else ()),
        hidden * (facts.number("hidden_size") + 1),
    )
    return [Block("vision", sum(counts))]


def _head(hidden: int, width: int) -> int:
    """Attention pooling over the patches, with a probe."""
    blocks = [
        Block("vision", hidden),
        *linear("vision", hidden, hidden, bias=True, count=4),
        Block("vision", 2 * hidden),
        *linear("vision", hidden, width, bias=True),
        *linear("vision", width, hidden, bias=True),
    ]
    return sum(block.parameters for block in blocks)
