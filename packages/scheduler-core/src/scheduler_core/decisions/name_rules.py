"""What a task may be called."""

import unicodedata
from collections.abc import Iterator

NAME_LENGTH_MAX = 255


def name_problems(name: str) -> Iterator[str]:
    """Everything that is wrong with the name of a task, as sentences.

    >>> list(name_problems("7"))
    ["The name '7' is all digits and would be taken for an id. Add a letter."]
    """
    if not name:
        yield "A task needs a name."
    if len(name) > NAME_LENGTH_MAX:
        yield f"The name has {len(name)} characters; at most {NAME_LENGTH_MAX} are allowed. Shorten it."
    if name.strip().isdigit():
        yield f"The name '{name[:50]}' is all digits and would be taken for an id. Add a letter."
    if name != name.strip():
        yield f"The name '{name[:50]}' begins or ends with a space. Remove it."
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        yield f"The name {name[:50]!a} contains a control character. Remove it."
    if name in (".", ".."):
        yield f"The name '{name}' cannot be part of an address. Use letters."
    if "/" in name or "\\" in name:
        yield f"The name '{name[:50]}' contains a slash, which cannot be part of an address. Use - or . instead."


def could_be_name(name: str) -> bool:
    """Whether a task can have this name at all."""
    return next(name_problems(name), None) is None
