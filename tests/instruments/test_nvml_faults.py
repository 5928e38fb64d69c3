"""Faults of the double as a program meets them: pynvml, in a process of its own."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from instruments.cards import A100, CARDS, H100, V100, Card
from instruments.course import Course, Step, pulses
from instruments.curves import Constant, Square
from instruments.faults import Code, Error, Lost, Reset, Slow, Spike, Zero
from instruments.nvml_double import Gpu, compiler, nvml_double, run_json
from instruments.refresh import Refresh
from instruments.tenants import Process, Slice

if TYPE_CHECKING:
    from pathlib import Path

    from instruments.curves import Curve

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")

MS = 1_000_000
S = 1_000_000_000
STEADY = Constant(300.0)
PRELUDE = """
import json, os, time, pynvml as n
n.nvmlInit()
gpus = [n.nvmlDeviceGetHandleByIndex(i) for i in range(n.nvmlDeviceGetCount())]
gpu = gpus[0]

def show(value):
    print(json.dumps(value))

def told(call, *arguments):
    try:
        return call(*arguments)
    except n.NVMLError as error:
        return type(error).__name__

def field(number, gpu=gpu):
    value = n.nvmlDeviceGetFieldValues(gpu, [number])[0]
    return value.value.ullVal if value.nvmlReturn == 0 else -value.nvmlReturn

def counter(gpu=gpu):
    return told(n.nvmlDeviceGetTotalEnergyConsumption, gpu)

def power(gpu=gpu):
    return told(n.nvmlDeviceGetPowerUsage, gpu)

def pids(call):
    return [process.pid for process in call(gpu)]
"""


def ask(tmp_path: Path, gpus: list[Gpu], code: str, **machine: Any) -> Any:
    """What *code* gives to ``show`` on a machine with *gpus*."""
    return run_json(PRELUDE + code, nvml_double(tmp_path, gpus, **machine))


def test_a_gpu_is_lost_for_a_while_and_its_neighbours_are_not(tmp_path: Path) -> None:
    machine = nvml_double(tmp_path, [Gpu(curve=STEADY, uuid="GPU-a"), Gpu(curve=STEADY)])
    code = f"""
start = time.monotonic_ns() + 100_000_000
end = start + 200_000_000
with open({str(machine.script)!r}, "a") as script:
    times = [t - {machine.origin_ns} for t in (start, end)]
    script.write("gpu GPU-a\\nlost from=%dns to=%dns\\n" % tuple(times))
seen = []
while (before := time.monotonic_ns()) < end + 100_000_000:
    value = power()
    seen.append([before, time.monotonic_ns(), value, power(gpus[1])])
    time.sleep(0.01)
show([start, end, seen])
"""
    start_ns, end_ns, seen = run_json(PRELUDE + code, machine)
    lost = Lost(start_ns=start_ns, end_ns=end_ns)
    during = [value for before, after, value, _ in seen if lost.at(before) and lost.at(after)]
    others = [value for before, after, value, _ in seen if after < start_ns or before > end_ns]
    assert set(during) == {"NVMLError_GpuIsLost"}
    assert set(others) == {300_000}
    assert {neighbour for *_, neighbour in seen} == {300_000}


def test_calls_fail_with_the_codes_that_are_scripted_and_only_those(tmp_path: Path) -> None:
    gpu = Gpu(
        curve=STEADY,
        origin_ns=-(10**12),
        faults=(
            Error(code=Code.UNKNOWN, calls=("counter",), every=3),
            Error(code=Code.NO_PERMISSION, calls=("instant", "violation")),
            Error(code=Code.TIMEOUT, calls=("temperature",), end_ns=1),
        ),
    )
    code = """
show([[counter() for _ in range(9)], field(186), power(), field(74),
      told(n.nvmlDeviceGetTemperature, gpu, 0)])
"""
    counters, instant, power, policy, temperature = ask(tmp_path, [gpu], code)
    assert [isinstance(value, int) for value in counters] == [True, True, False] * 3
    assert counters[2] == "NVMLError_Unknown"
    assert (instant, power, policy, temperature) == (-4, 300_000, -4, 41)


def test_readings_are_zero_or_off_as_often_as_scripted(tmp_path: Path) -> None:
    gpu = Gpu(
        curve=STEADY,
        faults=(
            Zero(calls=("counter",), every=2),
            Spike(call="power", by=500_000, every=4),
            Spike(call="instant", by=-(10**9)),
        ),
    )
    code = "show([[counter() for _ in range(4)], [power() for _ in range(8)], field(186)])"
    counters, powers, instant = ask(tmp_path, [gpu], code)
    assert [bool(value) for value in counters] == [True, False] * 2
    assert powers == [300_000, 300_000, 300_000, 800_000] * 2
    assert instant == 0


def test_some_calls_are_slow_and_hold_the_value_of_their_middle(tmp_path: Path) -> None:
    gpu = Gpu(
        curve=Constant(1000.0),
        counter=Refresh(),
        faults=(Slow(duration_ns=50 * MS, calls=("counter",), every=5),),
    )
    code = """
seen = []
for _ in range(10):
    before = time.monotonic_ns()
    seen.append([before, counter(), time.monotonic_ns()])
show(seen)
"""
    seen = ask(tmp_path, [gpu], code)
    slow = [call for call in seen if call[2] - call[0] >= 50 * MS]
    assert seen[4] in slow
    assert seen[9] in slow
    for before, millijoules, after in (seen[4], seen[9]):
        assert before + 25 * MS <= millijoules * 1000 + 1000  # at 1 kW a microsecond is 1 mJ
        assert millijoules * 1000 <= after - 25 * MS


def test_a_counter_starts_again_and_wraps(tmp_path: Path) -> None:
    now_ns = time.monotonic_ns()
    reset = Gpu(curve=STEADY, counter=Refresh(period_ns=MS), faults=(Reset(at_ns=now_ns, to_mj=7),))
    wrapping = Gpu(
        curve=STEADY, uuid="GPU-b", counter=Refresh(period_ns=MS), counter_modulus_mj=1000
    )
    code = """
seen = [[counter(), [time.sleep(0.0004), counter(gpus[1])][1]] for _ in range(40)]
show([time.monotonic_ns(), seen])
"""
    ended_ns, seen = ask(tmp_path, [reset, wrapping], code)
    again = [value for value, _ in seen]
    wrapped = [value for _, value in seen]
    assert again == sorted(again)
    assert 7 <= again[0] <= 7 + 300 * (ended_ns - now_ns) / 1e6
    assert max(wrapped) < 1000
    assert any(b < a for a, b in pairwise(wrapped))


def test_throttling_shows_in_bits_and_violation_counters(tmp_path: Path) -> None:
    now_ns = time.monotonic_ns()
    gpu = Gpu(
        curve=STEADY,
        throttle=pulses(0, 0x40, (now_ns, now_ns + 3600 * S)),
        violation=pulses(0, 0x4, (now_ns, now_ns + 1)),
    )
    code = """
call = n.nvmlDeviceGetViolationStatus
before = time.monotonic_ns()
thermal = call(gpu, n.NVML_PERF_POLICY_THERMAL).violationTime
after = time.monotonic_ns()
show({"bits": n.nvmlDeviceGetCurrentClocksEventReasons(gpu), "before": before, "after": after,
      "thermal": thermal, "power": told(lambda: call(gpu, 0).violationTime),
      "boost": told(lambda: call(gpu, 2).violationTime), "base": told(call, gpu, 11),
      "fields": [field(75) >= thermal, field(270) >= thermal, field(269), field(74)]})
"""
    machine = nvml_double(tmp_path, [gpu])
    seen = run_json(PRELUDE + code, machine)
    assert seen["bits"] == 0x40
    # counted from the script's origin, a moment after `now`
    assert seen["before"] <= seen["thermal"] + machine.origin_ns <= seen["after"]
    assert seen["fields"] == [True, True, 0, 0]
    assert (seen["power"], seen["boost"], seen["base"]) == (0, 0, "NVMLError_NotSupported")


def test_values_change_over_time(tmp_path: Path) -> None:
    past_ns = time.monotonic_ns() - 3600 * S
    later_ns = past_ns + 7200 * S
    gpu = Gpu(
        curve=STEADY,
        temperature_c=Course(30, (Step(past_ns, 90, 7200 * S),)),
        sm_clock_mhz=Course(1980, (Step(past_ns, 1200), Step(later_ns, 300))),
        power_limit_mw=Course(700_000, (Step(past_ns, 350_000),)),
        memory_used=Course(0, (Step(past_ns, 50 * 2**30),)),
    )
    code = """
show([n.nvmlDeviceGetTemperature(gpu, 0), n.nvmlDeviceGetClockInfo(gpu, 1),
      n.nvmlDeviceGetEnforcedPowerLimit(gpu), n.nvmlDeviceGetPowerManagementDefaultLimit(gpu),
      n.nvmlDeviceGetMemoryInfo(gpu).used])
"""
    assert ask(tmp_path, [gpu], code) == [60, 1200, 350_000, 700_000, 50 * 2**30]


def test_processes_come_and_go_and_may_be_oneself(tmp_path: Path) -> None:
    now_ns = time.monotonic_ns()
    children = tmp_path / "children"
    gpu = Gpu(
        curve=STEADY,
        processes=(
            Process(pid="self", memory=5),
            Process(pid=4711, end_ns=now_ns),
            Process(pid=4712, start_ns=now_ns),
            Process(pid=children),
            Process(pid=99, graphics=True),
        ),
    )
    code = f"""
compute = n.nvmlDeviceGetComputeRunningProcesses
first = compute(gpu)
with open({str(children)!r}, "w") as file:
    file.write("21 22\\n23")
show([os.getpid(), [[p.pid, p.usedGpuMemory] for p in first], pids(compute),
      pids(n.nvmlDeviceGetComputeRunningProcesses_v2),
      pids(n.nvmlDeviceGetGraphicsRunningProcesses)])
"""
    own, first, then, older, graphics = ask(tmp_path, [gpu], code)
    assert first == [[own, 5], [4712, 2**30]]
    assert then == older == [own, 4712, 21, 22, 23]
    assert graphics == [99]


@pytest.mark.parametrize(
    ("lacking", "listed"),
    [
        (("processes_v3",), ["NVMLError_FunctionNotFound", [4711]]),
        (("processes",), ["NVMLError_NotSupported"] * 2),
    ],
)
def test_a_driver_may_lack_the_list_of_processes(
    tmp_path: Path, lacking: tuple[str, ...], listed: list[Any]
) -> None:
    gpu = Gpu(curve=STEADY, processes=(Process(pid=4711),), unsupported=lacking)
    code = """
show([told(pids, n.nvmlDeviceGetComputeRunningProcesses_v3),
      told(pids, n.nvmlDeviceGetComputeRunningProcesses_v2)])
"""
    assert ask(tmp_path, [gpu], code) == listed


def test_nobody_on_a_gpu_is_an_empty_list(tmp_path: Path) -> None:
    code = "show(pids(n.nvmlDeviceGetComputeRunningProcesses))"
    assert ask(tmp_path, [Gpu(curve=STEADY)], code) == []


def test_slices_have_memory_and_no_sensor(tmp_path: Path) -> None:
    slices = (Slice(uuid="MIG-a", memory_used=77), Slice(uuid="MIG-b", gpu_instance=2))
    code = """
parts = [n.nvmlDeviceGetMigDeviceHandleByIndex(gpu, i)
         for i in range(n.nvmlDeviceGetMaxMigDeviceCount(gpu))]
first = parts[0]
parent = n.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(first)
show([n.nvmlDeviceGetMigMode(gpu), [n.nvmlDeviceGetUUID(part) for part in parts],
      n.nvmlDeviceGetMemoryInfo(first).used, counter(first), power(first),
      n.nvmlDeviceGetUUID(parent), n.nvmlDeviceGetGpuInstanceId(parts[1]),
      n.nvmlDeviceGetUUID(n.nvmlDeviceGetHandleByUUID("MIG-b")),
      [n.nvmlDeviceIsMigDeviceHandle(one).value for one in (gpu, first)],
      n.nvmlDeviceGetCount(), told(n.nvmlDeviceGetMigDeviceHandleByIndex, gpu, 2)])
"""
    none = "NVMLError_NotSupported"
    assert ask(tmp_path, [Gpu(curve=STEADY, uuid="GPU-a", mig=1, slices=slices)], code) == [
        [1, 1],
        ["MIG-a", "MIG-b"],
        77,
        none,
        none,
        "GPU-a",
        2,
        "MIG-b",
        [0, 1],
        1,
        "NVMLError_NotFound",
    ]


def test_each_gpu_has_a_curve_of_its_own(tmp_path: Path) -> None:
    gpus = [Gpu(curve=Constant(100.0 * i), uuid=f"GPU-{i}") for i in range(1, 9)]
    code = "show([power(gpu) for gpu in gpus])"
    assert ask(tmp_path, gpus, code) == [100_000 * i for i in range(1, 9)]


def test_what_is_added_to_the_script_holds_while_a_process_runs(tmp_path: Path) -> None:
    machine = nvml_double(
        tmp_path, [Gpu(curve=STEADY, uuid="GPU-a", counter=Refresh(period_ns=MS))]
    )
    code = f"""
def until(wanted):
    while wanted() is False:
        time.sleep(0.002)

before = counter()
with open({str(machine.script)!r}, "a") as script:
    script.write("gpu GPU-a\\nthrottle 0x40\\nspike power 1000\\n")
until(lambda: power() == 301_000)
bits, after = n.nvmlDeviceGetCurrentClocksEventReasons(gpu), counter()
with open({str(machine.script)!r}, "a") as script:
    script.write("gpu GPU-a\\nlost\\n")
until(lambda: power() == "NVMLError_GpuIsLost")
show([before, after, bits])
"""
    before, after, bits = run_json(PRELUDE + code, machine)
    assert 0 < before < after < before + 300 * 60_000
    assert bits == 0x40


def test_a_script_that_becomes_wrong_is_told_and_passed_over(tmp_path: Path) -> None:
    machine = nvml_double(tmp_path, [Gpu(curve=STEADY, uuid="GPU-a")])
    code = f"""
for more in ("nonsense 5", "lost from=soon", "gpu GPU-b"):
    with open({str(machine.script)!r}, "a") as script:
        script.write(more + "\\n")
    time.sleep(0.02)
    power()
show(power())
"""
    assert run_json(PRELUDE + code, machine) == 300_000


def test_a_script_can_be_written_again(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, uuid="GPU-a")
    machine = nvml_double(tmp_path, [gpu])
    first = machine.script.read_text(encoding="utf-8")
    machine.add("GPU-a", Lost(start_ns=machine.origin_ns + 2 * S), "temperature_c 90")
    added = machine.script.read_text(encoding="utf-8").removeprefix(first)
    assert added == "gpu GPU-a\nlost from=2s\ntemperature_c 90\n"
    machine.write([gpu])
    assert machine.script.read_text(encoding="utf-8") == first


BY_HAND = """
# A card as somebody would write it down.
driver 550.54   # no cuda version
origin 100s

gpu GPU-a
  name NVIDIA L4
  curve constant 20
  curve pieces 70ms:80:500 40ms:700 1s:700:100:200ms from=5s
  counter refresh=100ms resolution_mj=10
  power window=1s
  set temperature_c 55 at=-100s over=10ms
gpu GPU-b
  curve constant 42.5
  lost from=-100s
"""


def test_a_script_may_be_written_by_hand(tmp_path: Path) -> None:
    script = tmp_path / "card.txt"
    script.write_text(BY_HAND, encoding="utf-8")
    code = """
show([n.nvmlSystemGetDriverVersion(), n.nvmlDeviceGetName(gpu), counter() % 10,
      told(n.nvmlDeviceGetHandleByUUID, "GPU-b"), n.nvmlDeviceGetTemperature(gpu, 0)])
"""
    first_only = PRELUDE.replace("range(n.nvmlDeviceGetCount())", "(0,)")
    answer = run_json(
        first_only + code, nvml_double(tmp_path, []) | {"LLEM_TEST_NVML_DOUBLE": str(script)}
    )
    assert answer == ["550.54", "NVIDIA L4", 0, "NVMLError_GpuIsLost", 55]


WAVE = Square(low_w=50.0, high_w=250.0, period_ns=400 * MS, duty=0.4)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_shows_what_its_sensors_see(tmp_path: Path, card: Card) -> None:
    gpu = card.gpu(WAVE, sampling=True)
    code = """
seen = []
for _ in range(60):
    before = time.monotonic_ns()
    values = counter(), power(), field(186)
    seen.append([before, *values, time.monotonic_ns()])
    time.sleep(0.005)
show([n.nvmlDeviceGetName(gpu), n.nvmlDeviceGetEnforcedPowerLimit(gpu), seen])
"""
    name, limit_mw, seen = ask(tmp_path, [gpu], code)
    assert (name, limit_mw) == (card.name, card.power_limit_mw)
    still = [row for row in seen if gpu.counter.last(row[0]) == gpu.counter.last(row[-1])]
    assert len(still) > 20
    for before, millijoules, power_mw, instant_mw, _ in still:
        assert millijoules == pytest.approx(gpu.counter_mj(before), abs=1)
        assert power_mw == pytest.approx(gpu.power_shown_mw(before), abs=1)
        assert instant_mw == pytest.approx(gpu.instant_shown_mw(before), abs=1)


def test_cards_differ_as_they_were_measured() -> None:
    shares = {card.name: card.share for card in CARDS}
    assert (shares[A100.name], shares[H100.name], shares[V100.name]) == (0.25, 0.25, 0.5)
    step: Curve = Square(low_w=100.0, high_w=500.0, period_ns=1000 * S)
    one_second_average, quarter = H100.gpu(step), A100.gpu(step)
    assert one_second_average.power_w(500 * MS) == pytest.approx(300.0)
    assert quarter.power_w(500 * MS) == pytest.approx(500.0)
