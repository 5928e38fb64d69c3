"""Any server that speaks OpenAI's protocol, measured from outside."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.engines.model_source import BUILTIN_PREFIX, resolve_model
from pytest_llem.engines.openai.address import Address, free_port
from pytest_llem.engines.openai.answer import AnswerError
from pytest_llem.engines.openai.client import Client
from pytest_llem.engines.openai.loop import EventLoop
from pytest_llem.engines.openai.probe import probe
from pytest_llem.engines.openai.process import ServerProcess
from pytest_llem.engines.openai.session import OpenaiSession
from pytest_llem.engines.openai.vocabulary import WordVocabulary, vocabulary_of
from pytest_llem.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.config.experiment import ExperimentConfig

OK = 200
QUIET_S = 2.0
"""A server's workers are busy for a while after a request, in which it is not idle yet."""


class OpenaiEngine:
    """Speaks with a server that runs, or starts one."""

    name: ClassVar[str] = "openai"
    api_version: ClassVar[int] = 1

    def load(self, config: ExperimentConfig) -> OpenaiSession:
        """Find the server that *config* names, or start it, and ask it for a first token.

        Raises:
            ConfigError: options that cannot be, or a command that cannot be started.
            ModelNotFoundError: the server does not have the model.
            EngineError: there is no server, or it refuses requests.
        """
        options = config.openai
        base_url = _base_url(options.base_url, starts=options.command is not None)
        client = Client(options, base_url, _api_key(options.api_key_variable))
        with ExitStack() as stack:
            loop = EventLoop()
            stack.callback(loop.close)
            stack.callback(lambda: loop.run(client.close()))
            process = None
            if options.command is not None:
                process = _started(config, options.command, base_url, _ready(loop, client, config))
                stack.callback(process.stop)
                process.wait_until(_ready(loop, client, config), options.ready_timeout_s)
            exact = vocabulary_of(config.model, config.revision)
            probed = loop.run(probe(client, config, exact, WordVocabulary()))
            if config.measurement.idle_s:
                time.sleep(QUIET_S)
            stack.pop_all()
            return OpenaiSession(config, loop, client, probed, process)


def _api_key(variable: str) -> str | None:
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"the key in the environment variable {variable} has characters that no key has. "
            "Correct it, or name another variable in openai.api_key_variable."
        )
    return key or None


def _base_url(url: str, *, starts: bool) -> str:
    try:
        address = Address.of(url)
    except ValueError as error:
        raise ConfigError(f"openai.base_url={url!r} is no address of a server: {error}.") from None
    if address.port:
        return url
    if not starts:
        raise ConfigError(
            f"openai.base_url={url!r}: port 0 takes a free port for a server that openai.command "
            "starts; a server that runs has a port of its own."
        )
    return url.replace(":0", f":{free_port(address.host)}", 1)


def _started(
    config: ExperimentConfig, command: str, base_url: str, ready: Callable[[], bool]
) -> ServerProcess:
    if ready():
        raise EngineError(
            f"a server answers at {base_url} already, which openai.command was to start one at. End "
            "it, leave openai.command out, or take a free port with port 0 in openai.base_url."
        )
    model = config.model
    if model.startswith(BUILTIN_PREFIX):
        model = resolve_model(model, config.revision).path_or_id
    return ServerProcess(command, {"model": model, "port": str(Address.of(base_url).port)})


def _ready(loop: EventLoop, client: Client, config: ExperimentConfig) -> Callable[[], bool]:
    path = config.openai.ready_path
    root = client.base_url.partition("://")
    host = f"{root[0]}://{root[2].partition('/')[0]}"
    url = host + path[1:] if path.startswith("//") else client.base_url + path

    def ready() -> bool:
        try:
            status, _ = loop.run(client.get(url))
        except AnswerError:
            return False
        return status == OK

    return ready
