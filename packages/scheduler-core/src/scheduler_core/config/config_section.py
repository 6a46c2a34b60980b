"""The base of every typed section of the configuration."""

from typing import Any, ClassVar

import msgspec


class ConfigSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen group of settings owned by the component that reads it.

    A subclass names its table in `section` and documents each field with `setting`; it may override `problems`.
    """

    section: ClassVar[str]

    def problems(self) -> list[str]:
        """Sentences on values that cannot work together, each beginning with the key; empty when all is well."""
        return []


def setting(default: Any, effect: str, *, secret: bool = False, reloadable: bool = False) -> Any:
    """Declare a setting: its default and one sentence on the effect, from which the documentation is made.

    `secret` values are masked wherever settings are shown. Use as ``x: Annotated[int, setting_meta]`` is not
    needed: write ``x: int = setting(5, "How many …")``.
    """
    raise NotImplementedError
