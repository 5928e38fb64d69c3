"""Names of accelerators, by which a machine's profile is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instruments.cards import A100, L4, Card
from instruments.curves import Constant
from instruments.nvml_double import compiler, nvml_double, run_json
from instruments.programs import HELPERS
from pytest_llem.devices.names import _amd

if TYPE_CHECKING:
    from pathlib import Path

FOUND = """
import os
from pathlib import Path
from pytest_llem.config.layers.standing import read_standing
from pytest_llem.devices.names import accelerator_names
show([accelerator_names(), read_standing(Path("/nowhere"), {}, accelerator_names).profile.name])
"""


@pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")
@pytest.mark.parametrize(
    ("cards", "profile"), [([A100, A100], "a100-sxm-80gb"), ([A100, L4], "default"), ([], "cpu")]
)
def test_a_driver_names_its_gpus_and_they_the_profile(
    tmp_path: Path, cards: list[Card], profile: str
) -> None:
    gpus = [
        card.gpu(Constant(100.0), uuid=f"GPU-{number}", pci=f"00000000:0{number}:00.0")
        for number, card in enumerate(cards)
    ]
    names, found = run_json(HELPERS + FOUND, nvml_double(tmp_path, gpus))
    assert names == [card.name for card in cards]
    assert found == profile


def test_amd_gpus_are_named_by_their_driver(tmp_path: Path) -> None:
    for number, (vendor, name) in enumerate(
        [("0x1002", "AMD Instinct MI300X OAM"), ("0x10de", "other"), ("0x1002", "")]
    ):
        device = tmp_path / f"card{number}" / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "product_name").write_text(f"{name}\n")
    (tmp_path / "card7" / "device").mkdir(parents=True)
    assert _amd(tmp_path) == ["AMD Instinct MI300X OAM"]
