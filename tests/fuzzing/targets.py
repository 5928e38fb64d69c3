"""All of them."""

from __future__ import annotations

from fuzzing import commands, documents, inputs, stored, words

TARGETS = {
    one.name: one
    for module in (documents, words, stored, inputs, commands)
    for one in module.TARGETS
}
