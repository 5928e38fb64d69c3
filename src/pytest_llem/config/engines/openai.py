"""The ``openai`` section: servers that speak OpenAI's protocol."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pytest_llem.config.engines.section import Section

Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Asking(Section):
    """How a server is spoken with; a key is taken from the environment, and never stored."""

    base_url: str = Field(
        default="http://127.0.0.1:8000/v1", pattern=r"^https?://[^\s/@?#]+[^\s?#]*$"
    )
    """Where the server's API is; port 0 takes a free one for a server that ``command`` starts."""
    served_model: Words | None = None
    """Name by which the server knows the model; unset asks the server."""
    api: Literal["completions", "chat"] = "completions"
    """What is asked of the server: a completion of a prompt, or a turn of a chat."""
    prompt: Literal["auto", "ids", "text"] = "auto"
    """Prompts as token ids, so that their lengths are exact, or as text; ``auto`` takes ids
    where the model's tokenizer is on this machine and the server accepts them."""
    api_key_variable: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the API key, if the server wants one."""


class Starting(Section):
    """A server that is started for the experiment, and ended with it."""

    command: Words | None = None
    """Starts the server; ``{model}`` is the model's folder or id, ``{port}`` the port of
    ``base_url``, ``{python}`` this interpreter. Unset takes a server that runs."""
    ready_path: str = Field(default="/models", pattern=r"^/\S*$")
    """Answers below ``base_url``, or below its host if it begins with ``//``, once the server
    is ready."""
    ready_timeout_s: Seconds = 600.0
    """How long it may take until it is ready, in seconds."""


class Waiting(Section):
    """How long a server may take over a request."""

    connect_timeout_s: float = Field(default=10.0, gt=0, le=3600)
    """How long it may take to be connected, in seconds."""
    stall_timeout_s: Seconds = 120.0
    """How long a server may say nothing while it answers, in seconds."""
    request_timeout_s: Seconds = 600.0
    """How long a whole answer may take, in seconds."""


class OpenaiOptions(Waiting, Starting, Asking):
    """How a server is asked, and started; ``extra`` holds further fields of every request's body."""

    ENGINE: ClassVar[str] = "openai"
    OWN: ClassVar[frozenset[str]]
    GROUPS: ClassVar[dict[str, frozenset[str]]] = {}
    ELSEWHERE: ClassVar[dict[str, str]] = {}


OpenaiOptions.OWN = frozenset(OpenaiOptions.model_fields) - {"extra"}
