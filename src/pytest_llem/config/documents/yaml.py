"""YAML, strictly: one mapping, JSON's types, no key twice, nothing that grows when read.

Scalars are those of YAML 1.2's core schema: ``no`` and ``on`` are texts, ``1e3`` is a
number, ``1:30`` is none. Anchors and merge keys (``<<``) are allowed, as long as what they
stand for stays small; tags are not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from pytest_llem.config.documents.document import Document, Place, text_of
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

    from pytest_llem.config.documents.document import Keys

MOST_VALUES = 100_000
"""Values that a document may have once its aliases are followed."""
MOST_DEEP = 100
"""Lists and mappings within each other."""
CORE = "tag:yaml.org,2002:"
NULL, BOOL, INT, FLOAT, TEXT, MERGE = (
    CORE + name for name in ("null", "bool", "int", "float", "str", "merge")
)
_SURROGATE = re.compile("[\ud800-\udfff]")
SEQUENCE, MAPPING = CORE + "seq", CORE + "map"


class _Composer(yaml.SafeLoader):  # type: ignore[misc] # published without types
    """PyYAML up to its nodes, with resolvers of its own: nothing is constructed."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self._depth == MOST_DEEP:
            here = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=here)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


for _tag, _pattern, _first in (
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        FLOAT,
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    (MERGE, "<<", ["<"]),
):
    _Composer.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def read_yaml(path: Path) -> Document:
    """The document in the file at *path*; an empty file is an empty mapping.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: it cannot be read or understood, with line and column.
    """
    return parse_yaml(text_of(path), str(path))


def parse_yaml(text: str, file: str) -> Document:
    """The document in *text*, which *file* holds.

    Raises:
        ConfigError: it cannot be understood, with line and column.
    """
    root = _composed(text, file)
    if root is None or (isinstance(root, yaml.ScalarNode) and _tag_of(root) == NULL):
        return Document(file, {})
    reader = _Reader(file)
    if not isinstance(root, yaml.MappingNode):
        raise reader.wrong(root, "must be a mapping, such as: batch_size: 8")
    reader.check_size(root)
    value: dict[str, Any] = reader.value(root, ())
    return Document(file, value, reader.places)


def _composed(text: str, file: str) -> yaml.Node | None:
    try:
        return _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        said = "; ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(f"{place}: this is no YAML: {said}.") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - (before.rfind("\n") + 1) + 1
        place = Place(file, before.count("\n") + 1, column)
        raise ConfigError(f"{place}: this is no YAML: the character is not allowed.") from None


class _Reader:
    """Values of nodes, with the places of their keys."""

    def __init__(self, file: str) -> None:
        self.places: dict[Keys, Place] = {}
        self._file = file

    def place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1)

    def wrong(self, node: yaml.Node, said: str) -> ConfigError:
        return ConfigError(f"{self.place(node)}: {said}")

    def check_size(self, root: yaml.Node) -> None:
        """Refuse what holds itself, or becomes large once aliases are followed.

        Raises:
            ConfigError: it does.
        """
        self._size(root, {})

    def _size(self, node: yaml.Node, known: dict[int, int]) -> int:
        if id(node) not in known:
            known[id(node)] = 0  # under way
            size = 1 + sum(self._size(part, known) for part in _parts(node))
            if size > MOST_VALUES:
                raise self.wrong(node, f"this has more than {MOST_VALUES} values.")
            known[id(node)] = size
        elif not known[id(node)]:
            raise self.wrong(node, "this holds itself, by an alias.")
        return known[id(node)]

    def value(self, node: yaml.Node, keys: Keys) -> Any:
        """What *node* stands for.

        Raises:
            ConfigError: it is none of JSON's types, or has a key twice.
        """
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, MAPPING)
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, SEQUENCE)
            return [self._item(part, (*keys, index)) for index, part in enumerate(node.value)]
        return self._scalar(node)

    def _check_tag(self, node: yaml.Node, wanted: str) -> None:
        if node.tag not in {wanted, "!"}:
            raise self.wrong(node, f"the tag {_short(node.tag)} is not allowed here.")

    def _item(self, node: yaml.Node, keys: Keys) -> Any:
        self.places[keys] = self.place(node)
        return self.value(node, keys)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        found: dict[str, Any] = {}
        seen: dict[str, yaml.Node] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                merged += self._merged(value_node)
                continue
            key = self._key(key_node)
            if key in seen:
                first = seen[key].start_mark.line + 1
                raise self.wrong(
                    key_node, f"the key {key!r} is given twice, first in line {first}."
                )
            seen[key] = key_node
            self.places[*keys, key] = self.place(key_node)
            found[key] = self.value(value_node, (*keys, key))
        for other in merged:  # what is written here wins, then what is merged first
            found |= dict(self._elsewhere(other, keys, found))
        return found

    def _elsewhere(
        self, node: yaml.Node, keys: Keys, taken: Container[str]
    ) -> Iterator[tuple[str, Any]]:
        inner = _Reader(self._file)
        for key, value in inner._mapping(node, keys).items():
            if key not in taken:
                length = len(keys) + 1
                own = {p: at for p, at in inner.places.items() if p[:length] == (*keys, key)}
                self.places.update(own)
                yield key, value

    def _merged(self, node: yaml.Node) -> list[yaml.Node]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                raise self.wrong(part, "<< takes a mapping, or a list of them.")
        return list(parts)

    def _key(self, node: yaml.Node) -> str:
        value = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(value, str):
            raise self.wrong(node, "a key must be a text; put it in quotes.")
        return value

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        tag, text = _tag_of(node), node.value
        try:
            return _SCALARS[tag](text)
        except KeyError:
            raise self.wrong(node, f"the tag {_short(tag)} is not allowed here.") from None
        except ValueError:
            raise self.wrong(node, f"this is no {tag.removeprefix(CORE)}.") from None


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _tag_of(node: yaml.ScalarNode) -> str:
    return TEXT if node.tag == "!" else str(node.tag)


def _short(tag: str) -> str:
    return tag.replace(CORE, "!!")


def _int(text: str) -> int:
    sign, digits = (text[0], text[1:]) if text[:1] in {"-", "+"} else ("", text)
    base = {"0x": 16, "0o": 8}.get(digits[:2], 10)
    number = int(digits[2:] if base != 10 else digits, base)  # noqa: PLR2004
    return -number if sign == "-" else number


def _text(text: str) -> str:
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16")  # pairs, as JSON escapes them


_SCALARS: dict[str, Any] = {
    NULL: lambda _: None,
    BOOL: lambda text: {"true": True, "false": False}.get(text.lower()),
    INT: _int,
    FLOAT: lambda text: float(re.sub(r"\.(?=[inIN])", "", text)),
    TEXT: _text,
    MERGE: _text,
}
