"""What makes a text a template, seen without reading it as one."""

from collections.abc import Iterator, Mapping
from typing import Any


def is_template(text: str) -> bool:
    """Whether a text is rendered at all.

    >>> is_template("{{ params.day }}"), is_template("${#list[@]}")
    (True, False)
    """
    return "{{" in text or "{%" in text


def template_texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """All templates among the values of an object, with their paths.

    >>> list(template_texts({"command": ["echo", "{{ item }}"]}))
    [('command.1', '{{ item }}')]
    """
    if isinstance(value, str):
        if is_template(value):
            yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from template_texts(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from template_texts(each, f"{path}.{index}" if path else str(index))
