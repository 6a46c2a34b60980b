"""What differs between two configurations."""

from collections.abc import Iterable
from typing import Any

import msgspec

from scheduler_core.config.config_section import ConfigSection
from scheduler_core.config.secret_mask import mask
from scheduler_core.config.settings import Settings


class SettingChange(msgspec.Struct, frozen=True):
    """A key (section.key) with its old and new value as they may be shown, and whether it needs no restart."""

    key: str
    old: Any
    new: Any
    is_live: bool


def setting_changes(old: Settings, new: Settings, sections: Iterable[type[ConfigSection]]) -> list[SettingChange]:
    """The keys of these sections whose values differ, in the order of their declaration; secrets are masked."""
    found = []
    for section in sections:
        before, after = old.section(section), new.section(section)
        for setting in section.settings():
            values = [getattr(each, setting.key) for each in (before, after)]
            if values[0] != values[1]:
                shown = [
                    msgspec.to_builtins(mask(value, secret=setting.secret, default=setting.default), enc_hook=str)
                    for value in values
                ]
                found.append(SettingChange(f"{section.section}.{setting.key}", shown[0], shown[1], setting.live))
    return found
