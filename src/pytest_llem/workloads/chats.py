"""Chats: turns that each repeat what was said before and add to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.workloads.drawing import drawn_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.workloads.request import Request

PASS_TOKENS = 2
"""Tokens at the start of a prompt that number the pass."""


def turns_of(
    first: Sequence[Request],
    turns: int,
    turn_tokens: int | None,
    ordinary: Sequence[int],
    seed: int,
) -> list[list[Request]]:
    """The batches of one pass: turn after turn, one request a chat in each.

    A turn's prompt is the prompt of the turn before, a reply as long as that turn's output, and
    *turn_tokens* new ones, ``None`` for as many as the chat's first prompt has. Replies are drawn
    like synthetic prompts, so that the work is the same whatever a model writes.
    """
    batches = [list(first)]
    for turn in range(1, turns):
        batches.append([])
        for number, before in enumerate(batches[-2]):
            new = turn_tokens or len(first[number].prompt_token_ids)
            place = f"chat/{seed}/{number}/{turn}"
            said = drawn_ids(ordinary, before.output_tokens + new, place)
            prompt = before.prompt_token_ids + said
            batches[-1].append(
                replace(
                    before,
                    request_id=f"{first[number].request_id}-turn-{turn}",
                    prompt_token_ids=prompt,
                )
            )
    return batches


def renewed(
    batches: Sequence[Sequence[Request]], number: int, ordinary: Sequence[int]
) -> list[list[Request]]:
    """The same batches for the pass of this *number*, with which no other pass shares a start.

    The first two tokens of each prompt are exchanged, the same way in every turn of a chat: a
    cache of prefixes then knows nothing of earlier passes, until the vocabulary's square is used
    up.
    """
    size = len(ordinary)
    salt = (ordinary[number % size], ordinary[number // size % size])
    return [
        [
            replace(
                request,
                prompt_token_ids=(salt + request.prompt_token_ids[PASS_TOKENS:])[
                    : len(request.prompt_token_ids)
                ],
            )
            for request in batch
        ]
        for batch in batches
    ]
