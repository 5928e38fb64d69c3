"""What published sources say of accelerators: bandwidth, arithmetic, and watts at rest."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20
KIB = 2**10

HBM2_PJ_PER_BIT = 3.9
"""HBM2: O'Connor et al., Fine-Grained DRAM, MICRO-50, 2017. Nothing is published on HBM2e and
HBM3 apart; the same is taken."""
HBM3E_PJ_PER_BIT = 3.4
"""HBM3E: published figures lie at 3.4 to 3.9 (the latter Samsung's own); the lower is taken."""
GDDR6_PJ_PER_BIT = 7.5
"""GDDR6: Micron, Ultra-Bandwidth Solutions, "average device power"."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One model of accelerator; its own limits, whatever power limit is set."""

    bandwidth_bytes_per_s: float
    """Of its memory."""
    flop_per_s: dict[str, float]
    """Peak of dense arithmetic by data type, tensor cores where there are any for it."""
    power_limit_w: float
    """Thermal design power."""
    memory_pj_per_bit: float
    on_chip_bytes: int
    """L2 cache, register files, and L1 with shared memory, together: what a chip could at most
    keep from one step to the next."""
    static_power_w: float | None = None
    """Power of a card that holds a CUDA context and does nothing; ``None`` is not published."""

    def flop_rate(self, dtype: str | None) -> float | None:
        """Peak arithmetic in *dtype*; ``None`` if it has none of its own."""
        return None if dtype is None else self.flop_per_s.get(dtype)


def _rates(half: float, single: float, eight: float | None = None) -> dict[str, float]:
    """Peak by data type, from TFLOP/s."""
    rates = {"bfloat16": half * 1e12, "float16": half * 1e12, "float32": single * 1e12}
    return rates if eight is None else {**rates, "float8": eight * 1e12}


def _on_chip(l2_mib: int, multiprocessors: int, l1_kib: int) -> int:
    """With the 256 KiB of registers that every multiprocessor since Volta has."""
    return l2_mib * MIB + multiprocessors * (256 + l1_kib) * KIB


ACCELERATORS: dict[str, Accelerator] = {
    "NVIDIA H100 80GB HBM3": Accelerator(
        3.35e12, _rates(989, 67, 1979), 700, HBM2_PJ_PER_BIT, _on_chip(50, 132, 256), 120
    ),
    "NVIDIA H100 PCIe": Accelerator(
        2.0e12, _rates(756, 51, 1513), 350, HBM2_PJ_PER_BIT, _on_chip(50, 114, 256)
    ),
    "NVIDIA H100 NVL": Accelerator(
        3.9e12, _rates(835, 60, 1671), 400, HBM2_PJ_PER_BIT, _on_chip(50, 132, 256)
    ),
    "NVIDIA H200": Accelerator(
        4.8e12, _rates(989, 67, 1979), 700, HBM3E_PJ_PER_BIT, _on_chip(50, 132, 256), 125
    ),
    "NVIDIA H200 NVL": Accelerator(
        4.8e12, _rates(835, 60, 1671), 600, HBM3E_PJ_PER_BIT, _on_chip(50, 132, 256)
    ),
    "NVIDIA A100-SXM4-40GB": Accelerator(
        1.555e12, _rates(312, 19.5), 400, HBM2_PJ_PER_BIT, _on_chip(40, 108, 192), 80
    ),
    "NVIDIA A100-SXM4-80GB": Accelerator(
        2.039e12, _rates(312, 19.5), 400, HBM2_PJ_PER_BIT, _on_chip(40, 108, 192), 88
    ),
    "NVIDIA A100-PCIE-40GB": Accelerator(
        1.555e12, _rates(312, 19.5), 250, HBM2_PJ_PER_BIT, _on_chip(40, 108, 192)
    ),
    "NVIDIA A100 80GB PCIe": Accelerator(
        1.935e12, _rates(312, 19.5), 300, HBM2_PJ_PER_BIT, _on_chip(40, 108, 192)
    ),
    "NVIDIA L4": Accelerator(
        3.0e11, _rates(121, 30.3, 242), 72, GDDR6_PJ_PER_BIT, _on_chip(48, 58, 128), 28
    ),
    "NVIDIA L40S": Accelerator(
        8.64e11, _rates(362, 91.6, 733), 350, GDDR6_PJ_PER_BIT, _on_chip(96, 142, 128), 100
    ),
    "NVIDIA B200": Accelerator(
        8.0e12, _rates(2250, 80, 4500), 1000, HBM3E_PJ_PER_BIT, _on_chip(126, 148, 256), 140
    ),
}
"""By the name that NVML gives.

Bandwidth, peaks and power limit: NVIDIA's data sheets (H100, H200, A100, L4, L40S, HGX B200),
peaks halved where they are given "with sparsity". Caches and multiprocessors: NVIDIA's
architecture papers (Ampere GA100, Hopper, Ada) and the Blackwell tuning guide.

Static power is no data-sheet value, and the roughest of these. It is what public ``nvidia-smi``
listings show of idle cards (H100 SXM 69 to 75 W, H200 74 W, A100 SXM 50 to 58 W at 40 GB and
about 62 W at 80 GB, L40S 34 W), and what a CUDA context adds by The Model Parking Tax, arXiv
2605.23918 (26 to 50 W with HBM: 50 taken for Hopper, 26 for Ampere; 66 W with GDDR6). The L4's
and the B200's are listings in performance state P0; what a context adds there is not known.
"""


def accelerator_named(name: str) -> Accelerator | None:
    """The accelerator that NVML calls *name*; ``None`` if it is not in the table."""
    return ACCELERATORS.get(name.strip())
