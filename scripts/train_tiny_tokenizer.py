"""Train the tokenizer of ``builtin/tiny`` on the corpus beside it.

``python scripts/train_tiny_tokenizer.py`` rewrites ``tokenizer.json``; the test
suite holds that retraining gives the same merges. A changed file changes the
model, so the digest that it prints has to go into ``engines/builtin/tiny.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILTIN = ROOT / "src/pytest_llem/engines/builtin"
VOCABULARY = 2048
SPECIAL = ["<|endoftext|>", "<|pad|>"]


def train(corpus: str) -> str:
    """The trained byte-level BPE tokenizer as the JSON of the ``tokenizers`` library."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=1,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus.splitlines(keepends=True), trainer)
    return str(tokenizer.to_str(pretty=True)) + "\n"


def main() -> None:
    sys.path.insert(0, str(ROOT / "src"))
    from pytest_llem.engines.builtin import tiny
    from pytest_llem.engines.builtin.store import digest

    corpus = (BUILTIN / "corpus.txt").read_text(encoding="utf-8")
    (BUILTIN / "tokenizer.json").write_text(train(corpus), encoding="utf-8")
    sys.stdout.write(f'SHA256 = "{digest(tiny.files())}"\n')


if __name__ == "__main__":
    main()
