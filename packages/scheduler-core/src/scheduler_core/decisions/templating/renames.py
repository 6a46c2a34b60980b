"""What an expression or template becomes when a task that it names gets another name. It imports jinja2."""

from collections.abc import Iterator
from typing import NamedTuple

from jinja2 import nodes

from scheduler_core.decisions.templating.environment import parsed_expression, parsed_template, raw_tokens
from scheduler_core.decisions.templating.names import upstream_of
from scheduler_core.errors import TemplateError

_LINE_BREAKS = str.maketrans("\r", " ")


class _Token(NamedTuple):
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def with_new_name(source: str, old: str, new: str, *, is_expression: bool) -> str:
    """The source with upstream.OLD as upstream.NEW; texts in quotes and what is no template stay as they are.

    Raises TemplateError when it names the task in a way that is not followed. What cannot be read stays.
    """
    try:
        before = _named(source, is_expression)
        tokens = list(_tokens(source, is_expression))
    except Exception:  # it has been refused, or will be
        return source
    if old not in before:
        return source
    made, done = [], 0
    for start, end in _mentions(tokens, old):
        made += [source[done:start], _written(new)]
        done = end
    changed = "".join([*made, source[done:]])
    try:
        is_right = _named(changed, is_expression) == {new if name == old else name for name in before}
    except Exception:  # the new name cannot stand there
        is_right = False
    if not is_right:
        raise TemplateError(source, f"it does not name {old!r} as upstream[{old!r}], or {new!r} cannot stand there.")
    return changed


def _tokens(source: str, is_expression: bool) -> Iterator[_Token]:
    place = source.translate(_LINE_BREAKS)  # the lexer has line feeds only, and this as many characters
    at = 0
    for kind, text in raw_tokens(place, is_expression=is_expression):
        at = place.index(text, at)
        if kind != "whitespace":
            yield _Token(kind, text, at)
        at += len(text)


def _mentions(tokens: list[_Token], name: str) -> Iterator[tuple[int, int]]:
    """From where to where the source has upstream.NAME or upstream['NAME']."""
    last = _Token("", "", 0)
    for index, token in enumerate(tokens):
        if token[:2] == ("name", "upstream") and last[:2] != ("operator", "."):
            following = tokens[index + 1 : index + 4]
            shape = [(each.kind, each.text if each.kind == "operator" else _value(each)) for each in following]
            if shape[:2] == [("operator", "."), ("name", name)]:
                yield token.start, following[1].end
            elif shape == [("operator", "["), ("string", name), ("operator", "]")]:
                yield token.start, following[2].end
        last = token


def _value(token: _Token) -> str:
    if token.kind != "string":
        return token.text
    return token.text[1:-1].encode("ascii", "backslashreplace").decode("unicode-escape")


def _written(name: str) -> str:
    if name.isascii() and name.isidentifier():
        return f"upstream.{name}"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'upstream["{quoted}"]'


def _named(source: str, is_expression: bool) -> set[str]:
    tree: nodes.Node = parsed_expression(source) if is_expression else parsed_template(source)
    found = (upstream_of(node) for node in (tree, *tree.find_all(nodes.Node)))
    return {name for name in found if name is not None}
