"""Pytest items to experiments: the hooks that plan while tests are collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem import _compat
from pytest_llem.config.names import FIELD_NAMES
from pytest_llem.errors import ConfigError
from pytest_llem.plan.backends import Backends
from pytest_llem.plan.detection import is_experiment
from pytest_llem.plan.only import only_point
from pytest_llem.plan.standing import standing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable
    from pathlib import Path

    from pytest_llem.config.layers.layer import Layers
    from pytest_llem.config.layers.standing import Standing
    from pytest_llem.plan.asked import Asked
    from pytest_llem.plan.overrides import Overrides
    from pytest_llem.plan.point import Point

POINT_KEY = pytest.StashKey["Point"]()
"""The point of an item, in ``item.stash``; only experiments have one."""

MARKER_HELP = (
    "llem(**fields): values of an experiment's fields, such as batch_size=8 or "
    "vllm={'max_num_seqs': 64}, and gates={'ttft_s': '+20ms'}; on a function, a class or a module, the closest winning"
)


STUDIES = (".llem.yaml", ".llem.yml")
YAML = (".yaml", ".yml")


class DuplicatePointWarning(pytest.PytestWarning):
    """Points that measure the same thing in the same way."""


class ExperimentCollection:
    """Gives every item that is an experiment its :class:`Point`.

    Nothing of the configuration, pydantic included, is imported before the
    first experiment is seen or an option asks for it.
    """

    def __init__(
        self,
        config: pytest.Config,
        *,
        known_backends: Callable[[], Collection[str]] = tuple,
        standing: Callable[[], Standing] | None = None,
    ) -> None:
        """Read the options.

        *known_backends* names the engines that exist beside those with a section; *standing*
        reads what holds for all experiments, once there is one.

        Raises:
            pytest.UsageError: an option cannot be understood.
        """
        self.groups: dict[str, list[Point]] = {}
        """Points by test function, in the order of planning, deselected ones too."""
        self._config = config
        self._backends = Backends(known_backends)
        self._read_standing = standing
        self._refused = ""
        """Why no test at all can be planned."""
        self._overrides = self._read_options()
        self._asked: Asked | None = None
        self._by_call: dict[int, tuple[_compat.Call, Point]] = {}
        self._by_node_id: dict[str, Point] = {}

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        """Collect study files; a file of another name where it is given by its path."""
        if not file_path.name.endswith(STUDIES) and not (
            file_path.suffix in YAML and parent.session.isinitpath(file_path)
        ):
            return None
        from pytest_llem.plan.study import Study

        return Study.from_parent(parent, path=file_path)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None]:
        """Plan the items of an experiment's function; others pass untouched."""
        names = metafunc.fixturenames
        if ("energy" not in names and "model" not in names) or not is_experiment(metafunc):
            return (yield)
        if only_point(self._config) is not None and self._is_plain(metafunc):
            return (yield)  # a child was told its configuration
        from pytest_llem.plan.function import FunctionPlan

        function = FunctionPlan(metafunc, self._ask())
        result = yield
        group = metafunc.definition.nodeid
        planned = function.finish()
        self.groups[group] = [point for _, point in planned]
        for call, point in planned:
            if call is None:
                self._by_node_id[group] = point
            else:
                self._by_call[id(call)] = (call, point)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Hand the points to their items; items that cannot be run are skipped."""
        if not self.groups:
            return
        point_of = self._point_of
        for item in items:
            point = point_of(item)
            if point is None:
                continue
            item.stash[POINT_KEY] = point
            if point.invalid is not None:
                item.add_marker(pytest.mark.skip(reason=point.invalid))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Warn of points that would be measured twice.

        Raises:
            pytest.UsageError: nothing could be planned, for what holds for all tests.
        """
        if self._refused and not hasattr(self._config, "workerinput"):
            raise pytest.UsageError(self._refused)
        if self.groups and self._warns():
            _warn_of_duplicates(session.items)

    def _is_plain(self, metafunc: pytest.Metafunc) -> bool:
        """Whether pytest's own parametrization gives the same ids as this plan would.

        Answered without pydantic, for the sake of children.
        """
        marks = metafunc.definition.iter_markers("parametrize")
        names = {name for mark in marks for name in _argnames(mark)}
        names |= set(metafunc.fixturenames) - {
            "model"
        }  # which is a fixture where it is no parameter
        has_grid = any(mark.args for mark in metafunc.definition.iter_markers("llem"))
        return not (self._overrides or has_grid or names & FIELD_NAMES)

    def _point_of(self, item: pytest.Item) -> Point | None:
        call = _compat.call_of(item)
        if call is None:
            return self._by_node_id.get(item.nodeid)
        found = self._by_call.get(id(call))
        return found[1] if found else None

    def _read_options(self) -> Overrides | None:
        option = self._config.option
        if not (option.llem_backend or option.llem_model is not None or option.llem_set):
            return None
        from pytest_llem.plan.overrides import overrides_of

        try:
            overrides = overrides_of(option.llem_backend, option.llem_model, option.llem_set)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from None
        if (problem := self._backends.first_problem(overrides.backends)) is not None:
            raise pytest.UsageError(str(problem))
        return overrides

    def _ask(self) -> Asked:
        if self._asked is None:
            from pytest_llem.plan.asked import Asked
            from pytest_llem.plan.overrides import Overrides

            self._asked = Asked(
                standing=self._standing(),
                overrides=self._overrides or Overrides(),
                check_backend=self._backends.problem,
                list_problems=self._config.option.llem_dry_run,
                only=only_point(self._config),
            )
        return self._asked

    def _standing(self) -> Layers:
        from pytest_llem.config.layers.layer import Layers

        if self._read_standing is None:
            return Layers()
        try:
            layers = standing_of(self._config, self._read_standing).layers
        except ConfigError as error:
            self._refused = str(error)
            raise pytest.Collector.CollectError(self._refused) from None
        backend = layers.given.get("backend")
        problem = backend and self._backends.problem(str(backend.leaf.value))
        if backend and problem:
            self._refused = f"{backend.origin}: {problem}"
            raise pytest.Collector.CollectError(self._refused)
        return layers

    def _warns(self) -> bool:
        if self._config.option.llem_dry_run or only_point(self._config) is not None:
            return False
        worker: dict[str, str] = getattr(self._config, "workerinput", {})
        return worker.get("workerid", "gw0") == "gw0"


def _argnames(mark: pytest.Mark) -> list[str]:
    given = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return _compat.parse_argnames(given)[0]


def _warn_of_duplicates(items: Iterable[pytest.Item]) -> None:
    from pytest_llem.plan.duplicates import duplicates
    from pytest_llem.plan.wording import counted

    by_point = {id(item.stash[POINT_KEY]): item for item in items if POINT_KEY in item.stash}
    found = duplicates(item.stash[POINT_KEY] for item in by_point.values())
    if not found:
        return
    point, original = found[0]
    text = (
        f"{counted(len(found), 'point')} of the grid measure again what another one measures, "
        f"such as {point.node_id} after {original.node_id}; --llem-dry-run lists them."
    )
    try:
        by_point[id(point)].warn(DuplicatePointWarning(text))
    except DuplicatePointWarning as warning:  # the project turns warnings into errors
        raise pytest.UsageError(str(warning)) from None
