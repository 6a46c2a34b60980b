"""A value before it has a type."""

from typing import Any, NamedTuple


class ConfigValue(NamedTuple):
    """A value as it was found, and where; `is_text` says that it still has to be read as its setting's type."""

    value: Any
    origin: str
    is_text: bool = False
