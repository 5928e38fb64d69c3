"""The built-in model: the same bytes everywhere, in formats that others read."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.engines.builtin import tiny
from pytest_llem.engines.builtin.safetensors import Tensor, safetensors_bytes
from pytest_llem.engines.builtin.store import digest
from pytest_llem.engines.builtin.weights import bfloat16_bits, hashed_weights, ones

ROOT = Path(__file__).parents[2]
WEIGHTS_SHA256 = "b26afcbecd915950dd315e4f0313961caee78cdf479b0ba644ff95e9a01812c8"


def as_float(bits: int) -> float:
    """A bfloat16 is the upper half of a binary32."""
    return float(struct.unpack("<f", struct.pack("<I", bits << 16))[0])


def test_the_files_have_the_pinned_digest() -> None:
    assert digest(tiny.files()) == tiny.SHA256


def test_the_weights_file_has_a_digest_of_its_own_that_never_changes() -> None:
    sha256 = hashlib.sha256(tiny.files()["model.safetensors"]).hexdigest()
    assert sha256 == WEIGHTS_SHA256


@given(st.integers(-255, 255).filter(bool), st.integers(-20, 20))
def test_bfloat16_patterns_are_exact(numerator: int, exponent: int) -> None:
    assert as_float(bfloat16_bits(numerator, exponent)) == numerator / 2**exponent


@given(st.text(max_size=20), st.integers(0, 300), st.integers(0, 15))
def test_hashed_weights_are_odd_numerators_within_range(
    seed: str, count: int, exponent: int
) -> None:
    weights = struct.unpack(f"<{count}H", hashed_weights(seed, count, exponent))
    numerators = [as_float(bits) * 2**exponent for bits in weights]
    assert all(numerator % 2 == 1 and abs(numerator) <= 255 for numerator in numerators)


def test_hashed_weights_are_balanced_and_spread_as_documented() -> None:
    count = 100_000
    values = [as_float(bits) for bits in struct.unpack(f"<{count}H", hashed_weights("x", count, 9))]
    mean = sum(values) / count
    deviation = (sum(value * value for value in values) / count) ** 0.5
    assert deviation == pytest.approx(147.8 / 2**9, rel=0.01)
    assert abs(mean) < 4 * deviation / count**0.5


def test_tensors_do_not_repeat_one_another() -> None:
    projections = [t for t in tiny.tensors() if "proj" in t.name and t.shape == (256, 256)]
    assert len({tensor.content for tensor in projections}) == len(projections) == 12


def test_norms_are_one() -> None:
    assert {as_float(bits) for bits in struct.unpack("<5H", ones(5))} == {1.0}
    norms = [tensor for tensor in tiny.tensors() if "norm" in tensor.name]
    assert all(tensor.content == ones(tensor.shape[0]) for tensor in norms)


@given(
    st.lists(
        st.tuples(st.text("ab.é", min_size=1, max_size=8), st.lists(st.integers(0, 4), max_size=3)),
        unique_by=lambda tensor: tensor[0],
        max_size=5,
    )
)
def test_the_safetensors_library_reads_what_is_written(tensors: list[tuple[str, Any]]) -> None:
    safetensors = pytest.importorskip("safetensors")
    written = []
    for name, shape in tensors:
        count = 1
        for size in shape:
            count *= size
        written.append(Tensor(name, tuple(shape), hashed_weights(name, count, 3)))
    read = dict(safetensors.deserialize(safetensors_bytes(written)))
    assert {name: (tuple(t["shape"]), bytes(t["data"])) for name, t in read.items()} == {
        tensor.name: (tensor.shape, tensor.content) for tensor in written
    }
    assert all(tensor["dtype"] == "BF16" for tensor in read.values())


def test_the_vocabulary_of_model_and_tokenizer_agree() -> None:
    tokenizer = json.loads(tiny.files()["tokenizer.json"])
    assert sorted(tokenizer["model"]["vocab"].values()) == list(range(tiny.VOCABULARY))
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    assert special == {"<|endoftext|>": tiny.END_OF_TEXT, "<|pad|>": tiny.PAD}


def test_training_again_gives_the_same_merges() -> None:
    pytest.importorskip("tokenizers")
    path = ROOT / "scripts/train_tiny_tokenizer.py"
    specification = importlib.util.spec_from_file_location("train_tiny_tokenizer", path)
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    again = json.loads(script.train((script.BUILTIN / "corpus.txt").read_text(encoding="utf-8")))
    shipped = json.loads(tiny.files()["tokenizer.json"])
    assert again["model"]["merges"] == shipped["model"]["merges"]
    assert again["model"]["vocab"] == shipped["model"]["vocab"]


@given(st.text())
def test_the_tokenizer_gives_every_text_back(text: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_str(tiny.files()["tokenizer.json"].decode())
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert all(0 <= token < tiny.VOCABULARY for token in ids)
