"""Components of other distributions: listed, loaded, held against their protocol."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from instruments.distributions import ENGINE, install
from pytest_llem.components.contract import Contract
from pytest_llem.components.rules import Rules
from pytest_llem.errors import ComponentError, ConfigError
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

BUILTIN = {"plain": "pytest_llem.devices.rapl:RaplMeter"}
CONTRACT = Contract("pytest_llem.engines.engine:Engine", newest=3, oldest=2)
GOOD = ENGINE.format(name="Toy", registered="toy").replace("api_version = 1", "api_version = 2")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "site"
    monkeypatch.syspath_prepend(directory)
    return directory


@pytest.fixture
def offer(site: Path) -> Callable[..., None]:
    """Install a distribution with one engine ``toy``."""

    def offering(  # noqa: PLR0913 - one parameter a property of a distribution
        module: str,
        source: str = GOOD,
        *,
        distribution: str | None = None,
        name: str = "toy",
        requires: Sequence[str] = (),
        reference: str | None = None,
    ) -> None:
        install(
            site,
            distribution or f"llem-{module.replace('_', '-')}",
            {module: source},
            [("engines", name, reference or f"{module}:Toy")],
            requires=requires,
        )

    return offering


def registry(rules: Rules | None = None, contract: Contract = CONTRACT) -> Registry[object]:
    return Registry("engines", BUILTIN, contract, rules=lambda: rules or Rules())


def states(found: Registry[object]) -> dict[tuple[str, str | None], str]:
    return {(one.component.name, one.component.distribution): one.state for one in found.listing()}


def test_a_component_is_listed_with_its_owner_and_not_imported(
    offer: Callable[..., None],
) -> None:
    offer("toy_listed", reference="toy_listed:Toy [extra]")
    found = registry()
    assert found.names() == ["plain", "toy"]
    listed = next(one for one in found.listing() if one.component.name == "toy")
    assert (listed.state, listed.component.builtin) == ("available", False)
    assert (listed.component.distribution, listed.component.version) == ("llem-toy-listed", "1.0")
    assert listed.component.reference == "toy_listed:Toy"
    assert "toy_listed" not in sys.modules
    assert found.load("toy") is sys.modules["toy_listed"].Toy
    assert ("toy", "llem-toy-listed") in states(found)
    assert states(found)["toy", "llem-toy-listed"] == "loaded"


def test_what_a_component_lacks_is_listed_without_importing_it(
    offer: Callable[..., None], site: Path
) -> None:
    offer(
        "toy_lacking",
        requires=[
            "surely-not-installed>=3",
            "pytest>=8",
            "pydantic>=99",
            "other; extra == 'more'",
            "another; python_version < '3'",
        ],
    )
    (site / "toy_lacking.py").unlink()
    listed = registry().listing()[-1]
    assert listed.state == "incomplete"
    assert "module toy_lacking" in listed.detail
    assert "surely-not-installed>=3" in listed.detail
    assert "pydantic>=99 (2." in listed.detail
    assert "another" not in listed.detail
    assert "other" not in listed.detail.replace("another", "")


def test_what_could_be_imported_but_lacks_something_still_says_so(
    offer: Callable[..., None],
) -> None:
    offer("toy_lazy", requires=["surely-not-installed>=3"])
    found = registry()
    found.load("toy")
    listed = found.listing()[-1]
    assert (listed.state, listed.detail) == ("incomplete", "lacks surely-not-installed>=3")


def test_two_third_parties_with_one_name_are_an_error_that_names_both(
    offer: Callable[..., None],
) -> None:
    offer("toy_first")
    offer("toy_second")
    found = registry()
    assert found.names() == ["plain", "toy"]
    assert {one.state for one in found.listing() if one.component.name == "toy"} == {"collides"}
    with pytest.raises(
        ComponentError, match=r"llem-toy-first 1\.0 .*llem-toy-second 1\.0"
    ) as error:
        found.load("toy")
    assert "LLEM_COMPONENTS_DENY=llem-toy-second" in str(error.value)
    assert "toy_first" not in sys.modules


def test_a_third_party_cannot_replace_a_builtin_quietly(offer: Callable[..., None]) -> None:
    offer("toy_usurper", name="plain")
    with pytest.raises(ComponentError, match=r"pytest-llem .*llem-toy-usurper 1\.0"):
        registry().load("plain")


def test_a_collision_disturbs_no_other_component(offer: Callable[..., None]) -> None:
    offer("toy_usurper_too", name="plain")
    offer("toy_bystander")
    assert registry().load("toy") is sys.modules["toy_bystander"].Toy


def test_a_denied_distribution_does_not_collide(offer: Callable[..., None]) -> None:
    offer("toy_kept")
    offer("toy_denied")
    found = registry(Rules(deny=("LLEM_toy.denied",)))
    assert found.load("toy") is sys.modules["toy_kept"].Toy
    assert states(found)["toy", "llem-toy-denied"] == "denied"
    assert states(found)["toy", "llem-toy-kept"] == "loaded"


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (Rules(), True),
        (Rules(allow=()), False),
        (Rules(allow=("engines.toy",)), True),
        (Rules(allow=("engines.*",)), True),
        (Rules(allow=("meters.*",)), False),
        (Rules(allow=("llem-toy-*",)), True),
        (Rules(allow=("engines.toy",), deny=("llem-*",)), False),
        (Rules(deny=("engines.to?",)), False),
    ],
)
def test_rules_name_components_and_distributions(
    offer: Callable[..., None], rules: Rules, allowed: bool
) -> None:
    offer("toy_ruled")
    found = registry(rules)
    assert "plain" in found.names()
    assert ("toy" in found.names()) is allowed
    if not allowed:
        with pytest.raises(ConfigError, match=r"llem-toy-ruled.*LLEM_COMPONENTS_DENY"):
            found.load("toy")


def test_a_builtin_can_be_denied_and_needs_no_permission() -> None:
    assert registry(Rules(allow=())).names() == ["plain"]
    with pytest.raises(ConfigError, match=r"denied by 'engines\.plain'"):
        registry(Rules(deny=("engines.plain",))).load("plain")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import surely_not_there", "ModuleNotFoundError: No module named 'surely_not_there'"),
        ("raise RuntimeError('out of luck')", "RuntimeError: out of luck"),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("class Other: ...", "AttributeError"),
        ("class Toy(:", "SyntaxError"),
    ],
)
def test_a_broken_component_is_told_by_its_distribution(
    offer: Callable[..., None], request: pytest.FixtureRequest, source: str, said: str
) -> None:
    module = f"toy_broken_{request.node.callspec.indices['source']}"
    offer(module, source, distribution="llem-broken")
    offer(f"{module}_beside", name="beside", source=GOOD.replace('"toy"', '"beside"'))
    found = registry()
    for _ in range(2):
        with pytest.raises(ComponentError, match=r"llem-broken 1\.0") as error:
            found.load("toy")
        assert said in str(error.value)
    assert states(found)["toy", "llem-broken"] == "broken"
    assert found.load("beside") is sys.modules[f"{module}_beside"].Toy


def test_an_entry_point_without_an_attribute_is_told(offer: Callable[..., None]) -> None:
    offer("toy_vague", reference="toy_vague")
    with pytest.raises(ComponentError, match=r"llem-toy-vague.*module:attribute"):
        registry().load("toy")


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ("def load(self, config)", "def loads(self, config)", "load() is missing"),
        ("def load(self, config)", "def load(self)", "load() does not take 1 argument"),
        ("def load(self, config)", "def load(self, a, b)", "load() does not take 1 argument"),
        ("api_version = 2", "api_version = '2'", "api_version must be of type int, not str"),
        ("api_version = 2", "api_version = True", "api_version must be of type int, not bool"),
        ("api_version = 2", "", "api_version is missing"),
        ('name = "toy"', "name = 7", "name must be of type str, not int"),
        ('name = "toy"', "name = 'tool'", "its name is 'tool', but it is registered as 'toy'"),
        ("api_version = 2", "api_version = 2; load = 3; lo = '''", None),
    ],
)
def test_what_a_component_lacks_of_its_protocol_is_named(
    offer: Callable[..., None],
    request: pytest.FixtureRequest,
    replaced: str,
    by: str,
    said: str | None,
) -> None:
    if said is None:
        by, said = "api_version = 2", "load must be a method, not int"
        source = GOOD + "\nToy.load = 3\n"
    else:
        source = GOOD
    offer(f"toy_odd_{request.node.callspec.indices['by']}", source.replace(replaced, by))
    with pytest.raises(ComponentError) as error:
        registry().load("toy")
    assert said in str(error.value)


@pytest.mark.parametrize(("version", "upgrade"), [(1, "llem-toy-aged-1"), (4, "pytest-llem")])
def test_a_version_out_of_range_says_what_to_upgrade(
    offer: Callable[..., None], version: int, upgrade: str
) -> None:
    offer(f"toy_aged_{version}", GOOD.replace("api_version = 2", f"api_version = {version}"))
    with pytest.raises(ComponentError, match=f"version {version} of the API") as error:
        registry().load("toy")
    assert str(error.value).endswith(f"pip install --upgrade {upgrade}")


def test_an_unknown_name_gets_the_nearest_one(offer: Callable[..., None]) -> None:
    offer("toy_near")
    with pytest.raises(ConfigError, match=r"no engine is called 'toyy'\. Did you mean 'toy'\?"):
        registry().load("toyy")
