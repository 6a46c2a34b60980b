"""What must not reach a log."""

import re
from collections.abc import MutableMapping
from typing import Any

MASKED = "********"

_SECRET_KEY = re.compile(
    r"(^|[_-])(password|passwd|secret|token|api[_-]?key|authorization|cookie|credentials)$", re.IGNORECASE
)
# The last @ before the path ends the user part, even when a password holds an unescaped one.
_URL_PASSWORD = re.compile(r"(?P<user>[A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#@\"']*:)[^\s/?#\"']+(?=@)")
_PARAMETER = re.compile(
    r"(?P<name>\b(?:password|passwd|sslpassword|secret|token|api[_-]?key)\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&'\",;)}]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<name>\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


def mask_text(text: str) -> str:
    """The text with passwords of URLs, of libpq parameters and of bearer headers masked.

    >>> mask_text("connecting to amqp://worker:s3cret@broker:5672/ now")
    'connecting to amqp://worker:********@broker:5672/ now'
    """
    # Most lines hold none of these: three cheap looks spare them the expressions.
    if "://" in text and "@" in text:
        text = _URL_PASSWORD.sub(rf"\g<user>{MASKED}", text)
    if "=" in text:
        text = _PARAMETER.sub(rf"\g<name>{MASKED}", text)
    if "earer" in text:
        text = _BEARER.sub(rf"\g<name>{MASKED}", text)
    return text


def mask_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that masks the values of fields that are named like secrets."""
    for key, value in event.items():
        if value is not None and _SECRET_KEY.search(key):
            event[key] = MASKED
    return event
