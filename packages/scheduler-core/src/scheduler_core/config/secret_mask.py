"""How secrets look when settings are shown."""

import re
from typing import Any

MASKED = "********"

_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")


def mask(value: Any, *, secret: bool, default: Any = None) -> Any:
    """The value as it may be shown: as it is, or masked when it is a secret that somebody has set.

    Of a URL everything but the password and the query is kept. A value equal to the default is documented
    anyway and therefore shown.
    """
    if not secret or value is None or value == default:
        return value
    if isinstance(value, str) and (match := _URL.match(value)):
        return _mask_url(match["scheme"], value[match.end() :])
    return MASKED


def _mask_url(scheme: str, rest: str) -> str:
    # The last @ ends the user part even when a password holds an unescaped one.
    user, at, address = rest.rpartition("@")
    if not at and ":" in user + address and "?" in address:
        user = ""
    address, question, _ = address.partition("?")
    name, colon, _ = user.partition(":")
    shown = f"{name}:{MASKED}@" if colon else f"{name}{at}"
    return f"{scheme}://{shown}{address}{question}{MASKED if question else ''}"
