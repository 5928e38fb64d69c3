"""The only place that touches names which pytest does not publish.

Written against pytest 8.4 to 9.2.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

from _pytest import fixtures
from _pytest.config import create_terminal_writer
from _pytest.mark.structures import ParameterSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pytest


class FixtureDef(Protocol):
    """What is read of a fixture's definition."""

    argnames: Sequence[str]
    """Fixtures that it requests."""
    func: Callable[..., object]


class Call(Protocol):
    """One planned invocation of a test function, which becomes one item."""

    params: Mapping[str, object]
    """Parametrized arguments and their values."""
    indices: Mapping[str, int]
    """Position of each value in its own ``parametrize`` call, while tests are generated."""
    marks: Sequence[pytest.Mark]
    """Marks of the parameters, outermost ``parametrize`` first."""

    @property
    def id(self) -> str:
        """What stands between the brackets of the item's name; empty for none."""
        ...


def has_empty_id(call: Call) -> bool:
    """Whether nothing stands between the brackets of the item's name, which it has all the same.

    It has none where all ids are ``pytest.HIDDEN_PARAM``.
    """
    return not call.id and bool(call._idlist)  # type: ignore[attr-defined]  # noqa: SLF001


def parse_argnames(argnames: str | Sequence[str]) -> tuple[list[str], bool]:
    """Names that ``parametrize`` is given, and whether a row is a bare value."""
    names, single = ParameterSet._parse_parametrize_args(argnames, ())  # noqa: SLF001
    return list(names), single


def parameter_set(row: object, *, single: bool) -> ParameterSet:
    """*row* as ``pytest.param`` makes it; its values may be no sequence if it is malformed."""
    return ParameterSet.extract_from(row, force_tuple=single)


def fixtures_of(metafunc: pytest.Metafunc, name: str) -> Sequence[FixtureDef]:
    """Definitions of the fixture that a test function uses, overridden ones first.

    Empty if there is no such fixture, or if the function parametrizes the name
    itself, so that no fixture is used.
    """
    found = metafunc._arg2fixturedefs.get(name, ())  # noqa: SLF001
    return cast("Sequence[FixtureDef]", found)


def visible_fixtures(metafunc: pytest.Metafunc, name: str) -> Sequence[FixtureDef]:
    """Definitions of the fixture that a test function could use, overridden ones first."""
    manager = metafunc.definition.session._fixturemanager  # noqa: SLF001
    found = manager.getfixturedefs(name, metafunc.definition)
    return cast("Sequence[FixtureDef]", found or ())


def calls_of(metafunc: pytest.Metafunc) -> Sequence[Call]:
    """Invocations planned so far; empty if nothing is parametrized."""
    return cast("Sequence[Call]", metafunc._calls)  # noqa: SLF001


def set_calls(metafunc: pytest.Metafunc, calls: Iterable[Call]) -> None:
    """Replace the planned invocations by some of them."""
    metafunc._calls = list(calls)  # type: ignore[arg-type]  # noqa: SLF001


def call_of(item: pytest.Item) -> Call | None:
    """The planned invocation that *item* was made from, or ``None`` without parameters."""
    return cast("Call | None", getattr(item, "callspec", None))


def intercept_parametrize(
    metafunc: pytest.Metafunc, wrapper: Callable[..., None]
) -> Callable[..., None]:
    """Send every ``metafunc.parametrize`` to *wrapper*; the original is returned."""
    original: Callable[..., None] = metafunc.parametrize
    metafunc.parametrize = wrapper  # type: ignore[method-assign]
    return original


def terminal_encoding(config: pytest.Config) -> str:
    """Encoding of what pytest reports to; ASCII where it does not say."""
    file = config.get_terminal_writer()._file  # noqa: SLF001
    return getattr(file, "encoding", None) or "ascii"


def report_to_stderr(config: pytest.Config) -> Callable[[str], object]:
    """Have pytest report to standard error, and hand over what writes to standard output."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        errors = os.fdopen(os.dup(2), "w", encoding=reporter._tw._file.encoding, buffering=1)  # noqa: SLF001
    stdout = reporter._tw._file  # noqa: SLF001
    reporter._tw = create_terminal_writer(config, errors)  # noqa: SLF001
    config.add_cleanup(errors.close)

    def write(text: str) -> None:
        stdout.write(text)
        stdout.flush()

    return write


def teardown_exact(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tear down collectors that *nextitem* does not need, as pytest's runner does."""
    item.session._setupstate.teardown_exact(nextitem)  # noqa: SLF001


def base_temp(config: pytest.Config) -> Path:
    """The run's base directory for temporary files, made on first use."""
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined] # noqa: SLF001
    path: Path = factory.getbasetemp()
    return path


@contextmanager
def terminal_lent(config: pytest.Config) -> Iterator[None]:
    """Give standard input and output back to the terminal, for a child's debugger."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    if manager is None:
        yield
        return
    manager.suspend_global_capture(in_=True)
    try:
        yield
    finally:
        manager.resume_global_capture()


def worker_of(config: pytest.Config) -> Any:
    """What speaks with pytest-xdist's controller, in a worker of it; ``None`` elsewhere."""
    for plugin in config.pluginmanager.get_plugins():
        if hasattr(plugin, "run_one_test") and hasattr(plugin, "sendevent"):
            return plugin
    return None


def send_to_controller(config: pytest.Config, report: pytest.TestReport) -> None:
    """Send *report* from a worker, as if a test had just made it; nobody here is told."""
    data = config.hook.pytest_report_to_serializable(config=config, report=report)
    worker = worker_of(config)
    own = {"worker_id": worker.workerid, "testrun_uid": worker.testrunuid}
    worker.sendevent("testreport", data={**data, **own})


def hear_controller(
    config: pytest.Config, name: str, heard: Callable[[dict[str, Any] | None], None]
) -> None:
    """Hand commands of that *name* to *heard*, in another thread; ``None`` once nobody speaks.

    To be called before the tests run. A worker passes over commands that it does not know.
    """
    worker = worker_of(config)
    original = worker.handle_command

    def handle(command: Any) -> None:
        if isinstance(command, tuple) and command[0] == name:
            heard(command[1])
            return
        if not isinstance(command, tuple):
            heard(None)
        original(command)

    worker.handle_command = handle


def without_group(item: pytest.Item) -> str:
    """Node id of *item* as it is without ``--dist=loadgroup``, which adds its group to it."""
    marks = item.iter_markers("xdist_group")
    groups = {mark.args[0] if mark.args else mark.kwargs.get("name", "default") for mark in marks}
    return item.nodeid.removesuffix(f"@{'_'.join(sorted(map(str, groups)))}")


def forget_group(item: pytest.Item) -> None:
    """Give *item* that node id, once pytest-xdist knows its group."""
    if (node_id := without_group(item)) != item.nodeid:
        item._nodeid = node_id  # type: ignore[attr-defined] # noqa: SLF001


class Workers:
    """The workers of this pytest, through the session that pytest-xdist spreads over them."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._log: Callable[..., None] = session.worker_testreport

    @classmethod
    def of(cls, config: pytest.Config) -> Workers | None:
        """Those of this process; ``None`` if it has none."""
        session = config.pluginmanager.get_plugin("dsession")
        return None if session is None else cls(session)

    def intercept(
        self, taken: Callable[[Any, pytest.TestReport], bool], after_each: Callable[[], None]
    ) -> None:
        """Ask of every worker's report whether it is *taken*; those that are get logged by nobody.

        *after_each* is called after every event.
        """
        loop_once = self._session.loop_once

        def worker_testreport(node: Any, rep: pytest.TestReport) -> None:
            if not taken(node, rep):
                self._log(node=node, rep=rep)

        def looped() -> None:
            loop_once()
            after_each()

        self._session.worker_testreport = worker_testreport
        self._session.loop_once = looped

    def log(self, node: Any, report: pytest.TestReport) -> None:
        """Log a report of a worker as if it had come just now; ``--maxfail`` counts it."""
        self._log(node=node, rep=report)

    @property
    def stops(self) -> str:
        """Why the session is to stop; empty if it is not."""
        return str(self._session.shouldstop or "")

    @property
    def have_more_to_say(self) -> bool:
        """Whether further events are there already."""
        return not self._session.queue.empty()

    @property
    def active(self) -> frozenset[Any]:
        """Workers that have not ended, also those that are still to start."""
        return frozenset(self._session._active_nodes)  # noqa: SLF001

    @staticmethod
    def tell(node: Any, name: str, **fields: Any) -> None:
        """Send a command; one that has died hears nothing."""
        with suppress(OSError):
            node.sendcommand(name, **fields)


class QuietTerminal:
    """The terminal reporter without its hooks, so that it reports nothing by itself.

    pytest's debugger and plugins such as pytest-timeout need it for its writer.
    """

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)


def run_phases(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Set up, call and tear down *item* here without logging the reports."""
    from _pytest.runner import runtestprotocol

    return runtestprotocol(item, log=False, nextitem=nextitem)


class Terminal:
    """What is known of the terminal that pytest writes to."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._writer = reporter._tw  # noqa: SLF001

    @property
    def fullwidth(self) -> int:
        return self._writer.fullwidth

    @property
    def hasmarkup(self) -> bool:
        return bool(self._writer.hasmarkup)

    @property
    def is_terminal(self) -> bool:
        return self._writer._file.isatty()  # noqa: SLF001

    @property
    def unicode(self) -> bool:
        encoding = getattr(self._writer._file, "encoding", None) or "ascii"  # noqa: SLF001
        try:
            "±→×…".encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def write(self, text: str) -> None:
        self._writer._file.write(text)  # noqa: SLF001
        self._writer.flush()


def set_base_temp(config: pytest.Config, path: Path) -> None:
    """Have temporary directories made below *path* from now on."""
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined] # noqa: SLF001
    factory._given_basetemp = path  # noqa: SLF001
    factory._basetemp = None  # noqa: SLF001


def restart_capture(config: pytest.Config) -> None:
    """Capture output in files of this process's own, suspended as between tests."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    if manager is not None:
        manager.stop_global_capturing()
        manager.start_global_capturing()
        manager.suspend_global_capture()


def replace_collecting(
    session: pytest.Session, collect: Callable[[pytest.Session, Callable[[], object]], None]
) -> None:
    """Have *collect* called in the place of the session's collecting, which it is given."""
    original = session.perform_collect

    def replaced() -> list[pytest.Item]:
        collect(session, original)
        return session.items

    session.perform_collect = replaced  # type: ignore[method-assign,assignment]


@contextmanager
def unordered() -> Iterator[None]:
    """Leave items in the order of their collection, for a session that runs none of them."""
    original = fixtures.reorder_items
    fixtures.reorder_items = list  # type: ignore[assignment]
    try:
        yield
    finally:
        fixtures.reorder_items = original


@contextmanager
def unheard(config: pytest.Config, *names: str) -> Iterator[None]:
    """Call no implementation of these hooks; plugins may be registered meanwhile."""
    callers = {name: getattr(config.hook, name) for name in names}
    for name, caller in callers.items():
        setattr(config.hook, name, _Unheard(caller))
    try:
        yield
    finally:
        for name, caller in callers.items():
            setattr(config.hook, name, caller)


class _Unheard:
    """A hook's caller that calls nobody."""

    def __init__(self, caller: Any) -> None:
        self._caller = caller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)

    def __call__(self, **_: object) -> None:
        """Call nobody."""
