"""What a process makes of a configuration that it has read again."""

from typing import Any, Literal

import msgspec

Outcome = Literal["applied", "needs restart"]


class ReloadedKey(msgspec.Struct, frozen=True):
    """A key that differs, as section.key, with its old and new value as they may be shown."""

    key: str
    old: Any
    new: Any
    outcome: Outcome


class ReloadAnswer(msgspec.Struct, frozen=True):
    """Which keys differ; with a `refusal`, which says why, nothing was changed."""

    keys: tuple[ReloadedKey, ...] = ()
    refusal: str = ""
