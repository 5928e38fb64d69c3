"""Keeping baselines: what an update writes, leaves alone and refuses."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.metrics import METRICS
from pytest_llem.baselines.reading import entry_texts
from pytest_llem.baselines.samples import process_samples
from pytest_llem.baselines.sessions import identity_of_result
from pytest_llem.baselines.store import BaselineStore, How, group_path
from pytest_llem.baselines.writing import LOCK_NAME, only_writer, replace_text
from pytest_llem.energy.marks import Idle
from pytest_llem.energy.measured import Figures, TotalFigures
from pytest_llem.errors import BaselineError
from pytest_llem.results.schema import DeviceFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.baselines.file import Entry
    from pytest_llem.energy.measured import Measured
    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]

A100 = (DeviceFacts(uuid="GPU-c", name="NVIDIA A100", index=0, power_limit_w=400.0),)


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(tmp_path / "baselines")


def files(store: BaselineStore) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in store.directory.rglob("*") if path.is_file()}


def test_without_baselines_nothing_is_found(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    assert store.find(make_result(), make_environment()) is None
    assert store.hardware_of("bench/test_chat.py::test_chat", "ab") == ()
    assert not store.directory.exists()


def test_what_was_stored_is_found_with_every_sample(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    repeats = [make_result([0.4, 0.41, 0.42]), make_result([0.5, 0.51], repeat=1)]
    store.update(repeats, make_environment())
    entry = store.find(make_result(run_id="later", node_id="moved.py::test"), make_environment())
    assert entry is not None
    (session,) = entry.sessions
    assert entry.config["output_tokens"] == 64
    assert "measurement" not in entry.config
    assert session.run_id == "run-1"
    assert session.fingerprint.commit == "0123456789abcdef"
    samples = session.samples("workload", "energy_per_output_token_j")
    assert [sample.values for sample in samples] == [(0.4, 0.41, 0.42), (0.5, 0.51)]


def test_every_metric_is_kept_per_pass_or_per_phase(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store.update([make_result([0.4])], make_environment())
    entry = store.find(make_result(), make_environment())
    assert entry is not None
    (process,) = entry.sessions[0].measurements["workload"]
    values = {name: pytest.approx(numbers[0]) for name, numbers in process.values.items()}
    assert values == {
        "energy_j": 25.6,
        "energy_per_output_token_j": 0.4,
        "energy_per_request_j": 25.6,
        "duration_s": 0.0512,
        "power_w": 500,
        "output_tokens_per_s": 1250,
        "ttft_s": 0.02,
        "itl_s": 0.005,
        "prefill.energy_j": 6.4,
        "prefill.energy_per_output_token_j": 6.4,  # a prefill pass gives one token
        "prefill.energy_per_request_j": 6.4,
        "prefill.duration_s": 0.0128,
        "prefill.power_w": 500,
        "prefill.output_tokens_per_s": 78.125,
        "prefill.ttft_s": 0.02,
        "prefill.itl_s": 0.005,
        "decode.energy_j": 19.2,
        "decode.energy_per_output_token_j": 0.3,
        "decode.energy_per_request_j": 19.2,
        "decode.duration_s": 0.0384,
        "decode.power_w": 500,
        "sm_clock_mhz": 1980,
        "temperature_c": 60,
    }
    assert process.values.keys() - METRICS.keys() == {"sm_clock_mhz", "temperature_c"}
    error = pytest.approx(0.02 / 1.96, rel=1e-3)
    assert process.standard_errors == {"decode": error}
    assert process.sample("decode.energy_per_output_token_j").standard_error == error
    assert process.sample("decode.duration_s").standard_error is None
    assert process.sample("energy_j").standard_error is None


def test_what_is_told_once_a_process_keeps_the_error_that_it_states(
    make_measurement: Callable[..., Measured],
) -> None:
    plain = make_measurement([0.4] * 3)
    figures = {name: getattr(plain, name) for name in Figures.model_fields}
    figures |= {"energy_j": 30.0, "energy_uncertainty_j": 3.0 * 1.96}
    changes = {
        "total": TotalFigures(**figures, scopes=("gpu", "package"), meters=("nvml", "rapl")),
        "idle": Idle(power_w=60.0, power_uncertainty_w=1.2 * 1.96, reason="flat"),
        "net_energy_j": 5.0,
        "net_energy_uncertainty_j": 1.96,
    }
    process = process_samples(plain.model_copy(update=changes), repeat=0)
    told = {
        "total.energy_j": 0.1,
        "total.energy_per_output_token_j": 0.1,
        "total.duration_s": None,
        "idle.power_w": 0.02,
        "net_energy_j": 0.2,
        "energy_j": None,
    }
    found = {name: process.sample(name).standard_error for name in told}
    assert found == {name: error and pytest.approx(error, rel=1e-3) for name, error in told.items()}


def test_an_invalid_window_is_left_out(
    store: BaselineStore,
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    make_measurement: Callable[..., Measured],
    make_window: Callable[..., Any],
) -> None:
    windows = (make_window(0.4), make_window(0.8, valid=False), make_window(0.5, ttft_s=None))
    result = make_result(measurements=(make_measurement([0.4], windows=windows),))
    store.update([result], make_environment())
    entry = store.find(result, make_environment())
    assert entry is not None
    values = entry.sessions[0].measurements["workload"][0].values
    assert values["energy_per_output_token_j"] == (0.4, 0.5)
    assert values["ttft_s"] == (0.02,)


def test_two_measurements_of_one_name_are_kept_apart(
    store: BaselineStore,
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    make_measurement: Callable[..., Measured],
) -> None:
    result = make_result(measurements=(make_measurement([0.4]), make_measurement([0.8])))
    store.update([result], make_environment())
    entry = store.find(result, make_environment())
    assert entry is not None
    assert list(entry.sessions[0].measurements) == ["workload", "workload#2"]


def test_own_arguments_tell_baselines_apart(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store.update([make_result(own_arguments={"method": "greedy"})], make_environment())
    assert store.find(make_result(), make_environment()) is None
    assert store.find(make_result(own_arguments={"method": "greedy"}), make_environment())


def test_an_update_is_the_same_bytes_whoever_does_it_in_what_order(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    results = [
        make_result([0.4 + 1e-9 * size, 0.1 + 0.2], config={"batch_size": size}, repeat=repeat)
        for size in range(1, 9)
        for repeat in range(2)
    ]
    together, apart = BaselineStore(tmp_path / "a"), BaselineStore(tmp_path / "b")
    together.update(results, make_environment())
    for size in range(8, 0, -1):
        own = [result for result in results if result.config.batch_size == size]
        apart.update(own[::-1] if size % 2 else own, make_environment())
    assert [*files(together).values()] == [*files(apart).values()]
    together.update(results, make_environment())
    assert [*files(together).values()] == [*files(apart).values()]


def test_other_entries_stay_byte_for_byte_even_if_a_person_wrote_them(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    results = [make_result(config={"batch_size": size}) for size in (1, 2, 3)]
    path = store.update(results, make_environment()).stored[0].path
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=7), encoding="utf-8"
    )
    before = entry_texts(path.read_text(encoding="utf-8"))
    store.update([make_result([0.9], config={"batch_size": 2})], make_environment())
    after = entry_texts(path.read_text(encoding="utf-8"))
    changed = identity_of_result(results[1])
    assert before.keys() == after.keys()
    assert {key for key in before if before[key] != after[key]} == {changed}
    assert "0.9" in after[changed]


def test_an_update_begins_anew_and_keeps_what_was_as_history(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store.update([make_result([0.4])], make_environment())
    store.find(make_result(), make_environment())
    store.update([make_result([0.5], run_id="run-2")], make_environment())
    entry = store.find(make_result(), make_environment())
    assert entry is not None
    assert [session.run_id for session in entry.sessions] == ["run-1", "run-2"]
    assert [session.run_id for session in entry.current] == ["run-2"]


def test_an_extension_is_a_further_session_of_the_same_baseline(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    for number, value in enumerate((0.9, 0.4, 0.41, 0.39)):
        extends = number != 1
        how = How("extend" if extends else "update", extends=extends)
        store.update([make_result([value], run_id=f"run-{number}")], make_environment(), how)
    entry = store.find(make_result(), make_environment())
    assert entry is not None
    assert [session.run_id for session in entry.current] == ["run-1", "run-2", "run-3"]
    assert [session.begins for session in entry.sessions] == [False, True, False, False]
    by = [one.provenance.by for one in entry.sessions if one.provenance is not None]
    assert by == ["extend", "update", "extend", "extend"]


def test_history_is_bounded_and_the_newest_stay(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    for number in range(7):
        how = How("extend", sessions=3, extends=True)
        store.update([make_result([0.4], run_id=f"run-{number}")], make_environment(), how)
    entry = store.find(make_result(), make_environment())
    assert entry is not None
    assert [session.run_id for session in entry.current] == ["run-4", "run-5", "run-6"]


def test_why_a_run_was_accepted_is_kept(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    how = How("accept", reason="vLLM 0.32 schedules otherwise")
    path = store.update([make_result()], make_environment(), how).stored[0].path
    assert '"reason": "vLLM 0.32 schedules otherwise"' in path.read_text(encoding="utf-8")


def test_rewriting_leaves_what_is_not_changed_byte_for_byte(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    results = [make_result(config={"batch_size": size}) for size in (1, 2, 3)]
    path = store.update(results, make_environment()).stored[0].path
    before = entry_texts(path.read_text(encoding="utf-8"))
    gone = identity_of_result(results[1])
    removed = store.rewrite(lambda _, entry: None if entry.config["batch_size"] == 2 else entry)
    assert removed == [path]
    after = entry_texts(path.read_text(encoding="utf-8"))
    assert after == {key: text for key, text in before.items() if key != gone}
    assert store.rewrite(lambda _, entry: entry) == []
    assert store.rewrite(lambda _, __: None) == [path]
    assert files(store) == {}


def test_a_writer_that_is_killed_at_any_moment_loses_nothing(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    """Each process is killed somewhere within its updates; files are always sound and whole."""
    store.update([make_result(config={"seed": 1000})], make_environment())
    for number in range(8):
        writer = _python(
            _CONCURRENT,
            str(store.directory),
            str(2 * number),
            "400",
            make_result().model_dump_json(),
        )
        seen = len(_entries(store))
        while len(_entries(store)) < seen + 1 + number % 3 and writer.poll() is None:
            time.sleep(0.001 * (1 + number))
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=50)
        assert writer.returncode == -signal.SIGKILL
        assert len(_entries(store)) > seen
    assert "1000" in {str(entry.config["seed"]) for entry in _entries(store)}
    store.update([make_result(config={"seed": 1001})], make_environment())
    assert "1001" in {str(entry.config["seed"]) for entry in _entries(store)}
    assert len(files(store)) == 1, "what killed writers left is gone"


def _entries(store: BaselineStore) -> list[Entry]:
    return [
        entry for file in BaselineStore(store.directory).all() for entry in file.entries.values()
    ]


def test_hardware_has_files_of_its_own(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    on_h100, on_a100 = make_result([0.4]), make_result([0.7], methodology={"devices": A100})
    store.update([on_h100], make_environment())
    elsewhere = store.find(on_a100, make_environment())
    assert elsewhere is not None
    assert elsewhere.sessions[0].fingerprint.devices == ("NVIDIA H100 80GB HBM3",)
    store.update([on_a100], make_environment())
    found = [store.find(result, make_environment()) for result in (on_h100, on_a100)]
    values = [
        entry.sessions[0].samples("workload", "energy_j")[0].values for entry in found if entry
    ]
    assert values == [pytest.approx((25.6,)), pytest.approx((44.8,))]
    identity = identity_of_result(on_h100)
    assert store.hardware_of(on_h100.group, identity) == (
        "nvidia-a100-x1",
        "nvidia-h100-80gb-hbm3-x1",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcome": "failed", "message": "assert 6 < 5"}, "it failed: assert 6 < 5"),
        ({"outcome": "crashed", "message": "killed by SIGSEGV"}, "it crashed: killed by SIGSEGV"),
        ({"outcome": "skipped"}, "it was skipped"),
        ({"measured": {"valid": False, "warnings": ("throttled",)}}, "throttled"),
        ({"measurement_methodology": None, "measurements": ()}, "nothing was measured"),
    ],
)
def test_what_failed_never_becomes_a_baseline(
    store: BaselineStore,
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    changes: dict[str, Any],
    reason: str,
) -> None:
    store.update([make_result([0.4])], make_environment())
    before = files(store)
    update = store.update([make_result([0.1], **changes)], make_environment())
    assert update.stored == []
    assert [refused.experiment_id for refused in update.refused] == [make_result().experiment_id]
    assert reason in update.refused[0].reason
    assert files(store) == before


def test_one_bad_process_refuses_its_experiment_and_no_other(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    results = [
        make_result(),
        make_result(repeat=1, outcome="timed_out"),
        make_result(config={"batch_size": 2}),
    ]
    update = store.update(results, make_environment())
    assert [refused.reason for refused in update.refused] == ["process 1: it timed out"]
    assert [stored.experiment_id for stored in update.stored] == [results[2].experiment_id]


def test_processes_that_differ_where_they_must_not_are_refused(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    capped = (DeviceFacts(uuid="GPU-a", name=_h100(make_result()), index=0, power_limit_w=500.0),)
    results = [make_result(), make_result(repeat=1, methodology={"devices": capped})]
    update = store.update(results, make_environment())
    assert [refused.reason for refused in update.refused] == [
        "processes 0 and 1 differ: power limit 700 W → 500 W"
    ]
    assert not store.directory.exists()


def test_one_damaged_file_keeps_all_files_from_being_written(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    results = [make_result(group=group) for group in ("a.py::test_a", "b.py::test_b")]
    paths = [stored.path for stored in store.update(results, make_environment()).stored]
    paths[1].write_text("{", encoding="utf-8")
    before = files(store)
    changed = [result.model_copy(update={"run_id": "run-2"}) for result in results]
    with pytest.raises(BaselineError, match="cut off"):
        store.update(changed, make_environment())
    assert files(store) == before


def test_two_writers_at_once_lose_nothing(store: BaselineStore, make_result: MakeResult) -> None:
    rounds = 6
    writers = [
        _python(
            _CONCURRENT,
            str(store.directory),
            str(number),
            str(rounds),
            make_result().model_dump_json(),
        )
        for number in range(2)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=50)
        assert writer.returncode == 0, errors
    (path, *others) = files(store)
    assert others == []
    assert len(entry_texts(path.read_text(encoding="utf-8"))) == 2 * rounds


_CONCURRENT = """
import sys
from pathlib import Path
from pytest_llem.baselines.store import BaselineStore
from pytest_llem.results.schema import ExperimentResult
directory, number, rounds, result = sys.argv[1:]
result = ExperimentResult.model_validate_json(result)
for seed in range(int(number), 2 * int(rounds), 2):
    config = result.config.model_copy(update={"seed": seed})
    BaselineStore(Path(directory)).update([result.model_copy(update={"config": config})], {})
"""


def test_a_lock_that_is_never_given_back_is_named(tmp_path: Path) -> None:
    holder = _python(_HOLD, str(tmp_path))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    with pytest.raises(BaselineError, match=f"{LOCK_NAME} is locked"), only_writer(tmp_path, 0.1):
        pass
    holder.communicate("\n", timeout=30)
    with only_writer(tmp_path, 0.1):
        assert (tmp_path / LOCK_NAME).exists()
    assert list(tmp_path.iterdir()) == []


_HOLD = """
import sys
from pathlib import Path
from pytest_llem.baselines.writing import only_writer
with only_writer(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_left_by_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).touch()
    with only_writer(tmp_path, 0.1):
        pass


def test_a_lock_that_vanished_while_it_was_taken_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    really_open = os.open

    def open_then_lose(path: Path, *arguments: int) -> int:
        descriptor = really_open(path, *arguments)
        if not opened:
            path.unlink()  # what its former owner does when done
        opened.append(descriptor)
        return descriptor

    monkeypatch.setattr(os, "open", open_then_lose)
    with only_writer(tmp_path, 5):
        assert (tmp_path / LOCK_NAME).exists()
    assert len(opened) == 2


def test_a_reader_keeps_the_file_it_opened(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    path = store.update([make_result([0.4])], make_environment()).stored[0].path
    before = path.read_bytes()
    with path.open("rb") as reader:
        store.update([make_result([0.5])], make_environment())
        assert reader.read() == before
    assert path.read_bytes() != before


def test_a_full_disk_leaves_the_old_file(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store.update([make_result([0.4])], make_environment())
    before = files(store)
    smallest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, smallest[1]))
    try:
        with pytest.raises(BaselineError, match="What was there before is untouched"):
            store.update([make_result([0.5])], make_environment())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, smallest)
    assert files(store) == before


def test_a_write_that_is_cut_short_leaves_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old", encoding="utf-8")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(BaselineError):
            replace_text(path, "new" * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]
    assert path.read_text(encoding="utf-8") == "old"


def test_a_file_in_the_way_is_named(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    (tmp_path / "baselines").write_text("", encoding="utf-8")
    with pytest.raises(BaselineError, match="--llem-baselines DIR"):
        BaselineStore(tmp_path / "baselines").update([make_result()], make_environment())


def test_a_directory_without_permission_is_named(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store = BaselineStore(tmp_path)
    store.update([make_result()], make_environment())
    before = files(store)
    tmp_path.chmod(0o555)
    writer = _python(_UNPRIVILEGED, str(tmp_path), make_result().model_dump_json())
    said, errors = writer.communicate(timeout=50)
    assert said.startswith("cannot write the baseline"), errors
    assert "Change the permissions" in said
    assert files(store) == before


_UNPRIVILEGED = """
import os, sys
from pathlib import Path
from pytest_llem.baselines.store import BaselineStore
from pytest_llem.errors import BaselineError
from pytest_llem.results.schema import ExperimentResult
result = ExperimentResult.model_validate_json(sys.argv[2])
store = BaselineStore(Path(sys.argv[1]))
if os.geteuid() == 0:  # nobody else is kept out by permissions
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    store.update([result], {})
except BaselineError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("bench/test_chat.py::test_chat", "bench/test_chat/test_chat"),
        ("test_chat.py::TestLong::test_x", "test_chat/TestLong/test_x"),
        ("nightly", "nightly"),
        ("../../etc/passwd", "-/-/etc/passwd"),
        ("/absolute.py::test", "absolute/test"),
        ("a b.py::test[x]", "a-b/test-x-"),
    ],
)
def test_a_group_lies_below_the_directory(group: str, expected: str) -> None:
    assert str(group_path(group)) == expected


def test_a_very_long_name_still_fits(
    store: BaselineStore, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    groups = [f"test.py::test_{'x' * 300}{end}" for end in "ab"]
    store.update([make_result(group=group) for group in groups], make_environment())
    assert len(files(store)) == 2


def _h100(result: ExperimentResult) -> str:
    assert result.measurement_methodology is not None
    return result.measurement_methodology.devices[0].name


def _python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
