"""The loops of a GPU, in NVIDIA's portable assembly, which the driver turns into the card's own code.

Thus they need nothing but the driver: neither a CUDA toolkit nor torch, which engines pin and
upgrades change. NVIDIA, "Parallel Thread Execution ISA", has the instructions; ISA 7.0 is that of
CUDA 11.0 and is read by every later driver.
"""

from __future__ import annotations

COMPUTE, MEMORY = "llem_compute", "llem_memory"
"""Names of the kernels."""
BLOCKS, THREADS = 8192, 256
CHAINS = 8
"""Numbers that a thread computes at a time and that do not wait for each other."""
_SMALL, _RATE = "0f34800000", "0f407F5C29"
"""2**-22, which brings the number of a thread below a half, and 3.99, as PTX writes them."""
PTX_VERSION = "7.0"
TARGET = "sm_70"


def source() -> bytes:
    """Both kernels as the driver takes them.

    ``llem_compute(to, turns)`` takes *turns* steps of the logistic map ``x = 3.99 x (1 - x)`` on
    :data:`CHAINS` numbers a thread: it never settles, so that all bits keep changing, and one
    number a thread is written, so that nothing can be left out. ``llem_memory(to, from, count)``
    copies *count* times 16 bytes.
    """
    head = f".version {PTX_VERSION}\n.target {TARGET}\n.address_size 64\n"
    return f"{head}{_compute()}{_memory()}".encode() + b"\0"


def _compute() -> str:
    start = "\n".join(f"  add.f32 %a{n}, %first, 0f3D{n:X}00000;" for n in range(CHAINS))
    turn = "\n".join(
        f"  neg.f32 %t{n}, %a{n};\n  fma.rn.f32 %t{n}, %t{n}, %a{n}, %a{n};\n"
        f"  mul.rn.f32 %a{n}, %t{n}, %rate;"
        for n in range(CHAINS)
    )
    end = "\n".join(f"  add.f32 %first, %first, %a{n};" for n in range(CHAINS))
    return f"""
.visible .entry {COMPUTE}(.param .u64 to, .param .u32 turns)
{{
  .reg .pred %more;
  .reg .b32 %left, %block, %width, %own;
  .reg .b64 %to, %offset;
  .reg .f32 %a<{CHAINS}>, %t<{CHAINS}>, %first, %rate;
  ld.param.u64 %to, [to];
  ld.param.u32 %left, [turns];
{_GLOBAL_ID}
  mul.wide.u32 %offset, %own, 4;
  add.u64 %to, %to, %offset;
  cvt.rn.f32.u32 %first, %own;
  mul.rn.f32 %first, %first, {_SMALL};
  mov.f32 %rate, {_RATE};
{start}
TURN:
{turn}
  sub.u32 %left, %left, 1;
  setp.ne.u32 %more, %left, 0;
  @%more bra TURN;
{end}
  st.global.f32 [%to], %first;
  ret;
}}
"""


def _memory() -> str:
    return f"""
.visible .entry {MEMORY}(.param .u64 to, .param .u64 from, .param .u32 count)
{{
  .reg .pred %done;
  .reg .b32 %block, %width, %own, %count, %v<4>;
  .reg .b64 %to, %from, %offset;
  ld.param.u64 %to, [to];
  ld.param.u64 %from, [from];
  ld.param.u32 %count, [count];
{_GLOBAL_ID}
NEXT:
  setp.ge.u32 %done, %own, %count;
  @%done bra END;
  mul.wide.u32 %offset, %own, 16;
  add.u64 %offset, %offset, %from;
  ld.global.v4.u32 {{%v0, %v1, %v2, %v3}}, [%offset];
  mul.wide.u32 %offset, %own, 16;
  add.u64 %offset, %offset, %to;
  st.global.v4.u32 [%offset], {{%v0, %v1, %v2, %v3}};
  add.u32 %own, %own, {BLOCKS * THREADS};
  bra NEXT;
END:
  ret;
}}
"""


_GLOBAL_ID = """\
  mov.u32 %block, %ctaid.x;
  mov.u32 %width, %ntid.x;
  mov.u32 %own, %tid.x;
  mad.lo.u32 %own, %block, %width, %own;"""
"""Number of the thread among all."""
