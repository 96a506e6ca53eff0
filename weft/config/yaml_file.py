"""Read YAML files so that every value is the one that its author meant, and messages can name its line.

PyYAML implements YAML 1.1, which reads 010 as 8, 1:36 as 96, 2024-01-01 as a date and 1e-5 as a text. Here
these are, in this order, three texts and a number. Keys are always texts.

A file from elsewhere may be made to occupy a program: size, depth and what its aliases stand for are bounded
before a value is built.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from weft.errors import SHOWN_CHARACTERS, ConfigError, shorten, show
from weft.records.base import JsonObject
from weft.records.files import read_text

Keys = Sequence[str | int]
"""Keys and indices that lead to a value."""

INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)\Z")
"""Integers as in Python; none begins with a zero that YAML 1.1 takes for the mark of an octal number."""
FLOAT = re.compile(
    r"(?:[-+]?(?:[0-9]+(?:_[0-9]+)*\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
BOOLEAN = re.compile(r"(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)\Z")
NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
DOUBLE_QUOTES = "“”„‟«»"
TYPOGRAPHIC_QUOTES = DOUBLE_QUOTES + "‘’‚‛′″´"
"""Quotation marks of word processors, which YAML takes for part of the text."""
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Characters that no setting needs: control characters other than tab and line ends, and lone surrogates."""
MAX_BYTES = 2**18
"""Size of the largest file. The shipped experiments have at most 6 kB; PyYAML reads 100 kB per second."""
MAX_DEPTH = 32
"""Largest number of lists and mappings around a value. The shipped experiments have at most 6."""
MAX_NODES = 100_000
"""Largest number of values in a file after every alias is replaced by what it stands for."""
MAX_CHARACTERS = 4 * MAX_BYTES
"""Largest number of characters of these values."""
MAX_DIGITS = 100
"""Largest number of digits of an integer. A hash of 64 digits is first read as an integer."""
PRIVATE_PREFIX = "x-"
"""Beginning of top-level keys that hold anchors for the rest of the file, and nothing else."""


class _Loader(yaml.SafeLoader):
    """Loader with the implicit types of this module instead of those of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's name
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, of which PyYAML itself limits the depth only by Python's stack."""
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"expected at most {MAX_DEPTH} lists and mappings around a value, got more",
                problem_mark=mark,
            )
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


for _name, _pattern, _first in (
    ("bool", BOOLEAN, "yYnNtTfFoO"),
    ("int", INTEGER, "-+0123456789"),
    ("float", FLOAT, "-+0123456789."),
    ("null", NULL, ["~", "n", "N", ""]),
    ("merge", re.compile(r"<<\Z"), "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, list(_first))

MERGE_TAG, TEXT_TAG = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"
INTEGER_TAG = "tag:yaml.org,2002:int"


@dataclass(frozen=True)
class _Entry:
    """A key at the top of a file, and its value, as they are written."""

    file: Path
    key: yaml.Node
    value: yaml.Node


@dataclass(frozen=True)
class YamlFile:
    """The content of a YAML file, with the places of its keys.

    Attributes:
        path: the file.
        content: keys and values.
        entries: the same keys as they are written, in this file or in the one that it extends.
    """

    path: Path
    content: JsonObject
    entries: Mapping[str, _Entry]

    @property
    def folders(self) -> list[Path]:
        """The folder of the file and, if it is another one, that of the file that it extends."""
        return list(
            dict.fromkeys([self.path.parent, *(entry.file.parent for entry in self.entries.values())])
        )

    def over(self, other: "YamlFile") -> "YamlFile":
        """Return the content of another file, with the keys of this file in place of those of that name."""
        return YamlFile(self.path, other.content | self.content, {**other.entries, **self.entries})

    def place(self, keys: Keys) -> str:
        """Return the line of a key, to be put before a message; empty if it is not in the file."""
        nodes = self._find(keys)
        if nodes is None:
            return ""
        file = self.entries[str(keys[0])].file
        return f"line {nodes[0].start_mark.line + 1}{'' if file == self.path else f' of {file}'}, "

    def written(self, keys: Keys) -> str | None:
        """Return a value as it is written, if it is a single value without quotes."""
        nodes = self._find(keys)
        if nodes is None:
            return None
        value = nodes[1]
        is_plain = isinstance(value, yaml.ScalarNode) and value.style is None
        return value.value if is_plain else None

    def _find(self, keys: Keys) -> tuple[yaml.Node, yaml.Node] | None:
        """Return the nodes of a key and of its value; the key of an item of a list is the item itself."""
        entry = self.entries.get(str(keys[0])) if keys else None
        if entry is None:
            return None
        key, value = entry.key, entry.value
        for name in keys[1:]:
            if isinstance(value, yaml.MappingNode):
                # The last one applies: PyYAML puts merged keys before the others.
                pair = next((pair for pair in reversed(value.value) if pair[0].value == name), None)
                if pair is None:
                    return None
                key, value = pair
            elif isinstance(value, yaml.SequenceNode) and isinstance(name, int) and name < len(value.value):
                key = value = value.value[name]
            else:
                return None
        return key, value


def read_yaml(path: Path, *, remedy: str = "check the path") -> JsonObject:
    """Return the keys and values of a YAML file that holds a mapping; see `read_yaml_file`."""
    return read_yaml_file(path, remedy=remedy).content


def read_yaml_file(path: Path, *, remedy: str = "check the path") -> YamlFile:
    """Read a YAML file that holds a mapping.

    Args:
        path: the file.
        remedy: what to do if it is missing, for the message.

    Returns:
        Keys and values, and their places. Top-level keys that begin with ``x-`` are left out: they may hold
        anchors for the rest of the file.

    Raises:
        ConfigError: the file is missing, is not YAML, is too large, too deep or has too many values, gives a
            key twice, puts a value in typographic quotes, contains a character or a number that no setting
            needs, or does not hold a mapping.
    """
    text = read_text(path, error=ConfigError, remedy=remedy, max_bytes=MAX_BYTES)
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        for node in _walk(root):
            _check_keys(node, path)
            _check_quotes(node, path)
            _check_scalar(node, path)
        _check_expanded(root, path)
        content = None if root is None else loader.construct_document(root)
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path} must be YAML: {_describe(error)}; correct the file") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML does not catch the errors of a value that does not have the form of its type.
        raise ConfigError(f"{path} must be YAML: {shorten(str(error))}; correct the file") from error
    finally:
        if loader is not None:
            loader.dispose()
    if root is None or not isinstance(content, dict):
        raise ConfigError(f"{path} must be a mapping of keys to values, got {show(content)}")
    entries = {key.value: _Entry(path, key, value) for key, value in root.value}
    public = {key: value for key, value in content.items() if not key.startswith(PRIVATE_PREFIX)}
    return YamlFile(path, public, entries)


def _walk(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """Yield every node once; anchors make several places share a node."""
    seen: set[int] = set()
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if not isinstance(node, yaml.ScalarNode):
            waiting += reversed(_parts(node))


def _check_keys(node: yaml.Node, path: Path) -> None:
    """Make the keys of a mapping texts, and refuse one that is given twice."""
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue  # PyYAML refuses it when it builds the mapping
        line = key.start_mark.line + 1
        if key.value in lines:
            raise ConfigError(
                f"{path}, line {line}: key given twice: {show(key.value)}, which line {lines[key.value]} has "
                "as well; remove one of them"
            )
        lines[key.value] = line
        if key.tag != MERGE_TAG:
            key.tag = TEXT_TAG


def _check_quotes(node: yaml.Node, path: Path) -> None:
    """Refuse a value between typographic quotes, which would become part of the text."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return
    text = node.value
    num_double = sum(text.count(mark) for mark in DOUBLE_QUOTES)
    is_quoted = len(text) > 1 and text[0] in TYPOGRAPHIC_QUOTES and text[-1] in TYPOGRAPHIC_QUOTES + "\"'"
    is_half_quoted = num_double == 1 and bool(set(text[:1] + text[-1:]) & set(DOUBLE_QUOTES))
    if is_quoted or is_half_quoted:
        raise ConfigError(
            f"{path}, line {node.start_mark.line + 1}: expected straight quotes (\" or ') around the text, "
            f"got {shorten(text, SHOWN_CHARACTERS)}; typographic quotes would become part of it"
        )


def _check_scalar(node: yaml.Node, path: Path) -> None:
    """Refuse a text with a character that no setting needs, and an integer of very many digits."""
    if not isinstance(node, yaml.ScalarNode):
        return
    place = f"{path}, line {node.start_mark.line + 1}"
    if match := FORBIDDEN.search(node.value):
        raise ConfigError(
            f"{place}: expected a text without control characters and without half a surrogate pair, got "
            f"{match[0]!r} in {show(node.value)}; remove it"
        )
    if node.tag == INTEGER_TAG and len(node.value) > MAX_DIGITS:
        raise ConfigError(
            f"{place}: expected a number of at most {MAX_DIGITS} digits, got {len(node.value)} characters, "
            f"{show(node.value)}; put it in quotes if it is a text"
        )


def _check_expanded(root: yaml.Node | None, path: Path) -> None:
    """Count the values of a file as if every alias were written out, and refuse very many of them."""
    sizes: dict[int, tuple[int, int] | None] = {}

    def size(node: yaml.Node) -> tuple[int, int]:
        if isinstance(node, yaml.ScalarNode):
            return 1, len(node.value)
        if id(node) in sizes:
            known = sizes[id(node)]
            if known is None:
                raise ConfigError(
                    f"{path}, line {node.start_mark.line + 1}: expected a value that does not contain "
                    "itself, got an alias of a list or mapping around it; write the value out"
                )
            return known
        sizes[id(node)] = None
        parts = [size(part) for part in _parts(node)]
        nodes, characters = 1 + sum(count for count, _ in parts), sum(length for _, length in parts)
        if nodes > MAX_NODES or characters > MAX_CHARACTERS:
            raise ConfigError(
                f"{path}, line {node.start_mark.line + 1}: expected at most {MAX_NODES:,} values with "
                f"{MAX_CHARACTERS:,} characters, counting what aliases (*name) stand for, got more; write "
                "out what is meant"
            )
        sizes[id(node)] = nodes, characters
        return nodes, characters

    if root is not None:
        size(root)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Return the keys and values of a mapping, or the items of a list."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value)


def _describe(error: yaml.MarkedYAMLError) -> str:
    """Describe an error in one line, which names the line of the file."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    sentence = ", ".join(part for part in (error.context, error.problem) if part)
    return place + shorten(sentence) + ("; indent with spaces" if "'\\t'" in sentence else "")


def explain_number(value: object) -> str:
    """Return the reason why a text is not a number, to be put after a message; empty if there is none."""
    if not isinstance(value, str):
        return ""
    reasons: list[tuple[str, Callable[[str], object]]] = [
        ("; write a number without quotes", lambda text: INTEGER.match(text) or FLOAT.match(text)),
        ("; write a number without leading zeros", re.compile(r"[-+]?0[0-9_]+\Z").match),
        ("; write a minus sign as -", re.compile(r"[-+0-9.,eE]*[‐‑‒–—−][-+0-9.,eE]*\Z").match),
        ("; write a decimal point, and no separators of thousands", re.compile(r"[-+]?[0-9]+,[0-9]+").match),
    ]
    return next((reason for reason, applies in reasons if applies(value)), "")
