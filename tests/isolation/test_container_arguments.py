"""What Docker and Podman are asked for."""

from __future__ import annotations

import csv
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.isolation.container.arguments import (
    Box,
    Mount,
    Needs,
    model_caches,
    outermost,
    passed_on,
    run_arguments,
)
from pytest_llem.isolation.container.owner import is_orphan, own_name
from pytest_llem.isolation.container.runtime import Image, Runtime

IMAGE = Image("engine:1", "sha256:feed", None)
UUIDS = ("GPU-aaaa", "GPU-bbbb")


def arguments(kind: str = "podman", *, rootless: bool = False, **changes: Any) -> list[str]:
    """Arguments for an otherwise plain container; changes of the box or of the needs."""
    runtime = Runtime(kind, (kind,), "1", rootless)
    of_box = {name: changes.pop(name) for name in list(changes) if name in Box.__slots__}
    box = Box(IMAGE, "python3", **of_box)
    return run_arguments(runtime, box, Needs(Path("/project"), **changes))


def values(found: list[str], option: str) -> list[str]:
    return [after for before, after in pairwise(found) if before == option]


@pytest.mark.parametrize("kind", ["podman", "docker"])
def test_a_container_is_removed_has_no_network_and_pulls_nothing(kind: str) -> None:
    found = arguments(kind)
    assert found[0] == "run"
    assert {"--rm", "--pull=never", "--network=none", "--shm-size=8g"} <= set(found)
    assert found[-3:] == ["--entrypoint", "python3", IMAGE.id]
    assert "--network=none" not in arguments(kind, network=True)
    assert "--shm-size=1g" in arguments(kind, shm_size="1g")


def test_gpus_are_named_by_uuid_in_the_runtime_s_own_way() -> None:
    assert values(arguments("podman", gpus=UUIDS), "--device") == [
        "nvidia.com/gpu=GPU-aaaa",
        "nvidia.com/gpu=GPU-bbbb",
    ]
    (docker,) = values(arguments("docker", gpus=UUIDS), "--gpus")
    assert next(csv.reader([docker])) == ["device=GPU-aaaa,GPU-bbbb"]
    for kind in ("podman", "docker"):
        assert not {"--gpus", "--device"} & set(arguments(kind))


@pytest.mark.parametrize(
    ("kind", "rootless", "said"),
    [
        ("podman", True, "--userns=keep-id"),
        ("podman", False, f"--user={os.getuid()}:{os.getgid()}"),
        ("docker", False, f"--user={os.getuid()}:{os.getgid()}"),
        ("docker", True, "--user=0:0"),
    ],
)
def test_files_are_written_as_the_user_of_the_host(kind: str, rootless: bool, said: str) -> None:
    found = arguments(kind, rootless=rootless)
    assert [one for one in found if one.startswith("--user")] == [said]


def test_a_user_who_may_give_out_no_ids_is_root_inside() -> None:
    alone = Runtime("podman", ("podman",), "1", rootless=True, single_user=True)
    found = run_arguments(alone, Box(IMAGE, "python3"), Needs(Path("/project")))
    assert [one for one in found if one.startswith("--user")] == ["--user=0:0"]


def test_values_of_variables_are_in_no_list_of_processes() -> None:
    found = arguments(variables=("HF_TOKEN",), environment=("A=b",))
    assert {"HF_TOKEN", "A=b"} <= set(values(found, "--env"))


def test_variables_of_the_host_s_own_paths_stay_outside() -> None:
    environ = {"HF_TOKEN": "x", "PATH": "/bin", "HOME": "/root", "https_proxy": "p", "LC_ALL": "C"}
    assert passed_on(environ, network=False) == {"HF_TOKEN": "x", "LC_ALL": "C"}
    assert "https_proxy" in passed_on(environ, network=True)


def test_the_model_cache_can_be_added_to_only_with_a_network(tmp_path: Path) -> None:
    hub = tmp_path / ".cache" / "huggingface"
    hub.mkdir(parents=True)
    environ = {"HOME": str(tmp_path)}
    mounts, variables = model_caches(environ, network=False)
    assert mounts == [Mount(hub, read_only=True)]
    assert variables["HF_HOME"] == str(hub)
    assert variables["HF_HUB_OFFLINE"] == "1"
    mounts, variables = model_caches(environ, network=True)
    assert mounts == [Mount(hub)]
    assert "HF_HUB_OFFLINE" not in variables
    assert model_caches({"HOME": "/nowhere"}, network=True) == ([], {})


NAMES = st.lists(st.sampled_from(["a", "b", 'c,"d"']), max_size=3)
MOUNTS = st.lists(
    st.builds(Mount, NAMES.map(lambda names: Path("/", *names)), read_only=st.booleans()),
    max_size=6,
)


@given(MOUNTS)
def test_mounts_give_every_directory_the_access_that_was_asked_for(mounts: list[Mount]) -> None:
    kept = outermost(mounts)
    assert len({mount.source for mount in kept}) == len(kept)
    for mount in mounts:
        inside = [other for other in kept if mount.source.is_relative_to(other.source)]
        deepest = max(inside, key=lambda other: len(other.source.parts))
        wanted = [other.read_only for other in mounts if other.source == mount.source]
        assert deepest.read_only == all(wanted)
        (fields,) = csv.reader([deepest.argument()])
        assert f"source={deepest.source}" in fields


def test_a_process_is_no_orphan_s_owner_while_it_lives() -> None:
    ours = own_name()
    system, _, _ = ours.rpartition("/")[0].rpartition("/")
    assert not is_orphan(ours)
    assert is_orphan(f"{system}/{os.getpid()}/1"), "the number is another's by now"
    assert is_orphan(f"{system}/4194305/1"), "beyond the greatest number"
    assert not is_orphan(ours.replace(system, "another/boot")), "cannot be seen from here"
    assert not is_orphan("")
    assert not is_orphan("anything else")
