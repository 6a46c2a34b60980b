"""How API keys look and how they are recognised."""

import hashlib
import secrets
from typing import NamedTuple

_MARK = "sch_"
_PREFIX_LENGTH = 12


class NewApiKey(NamedTuple):
    """A fresh key: `secret` is shown once, `prefix` names it in lists, `key_hash` is what the store keeps."""

    secret: str
    prefix: str
    key_hash: bytes


def new_api_key() -> NewApiKey:
    """Make a key of 256 random bits behind a mark that secret scanners can find."""
    secret = _MARK + secrets.token_urlsafe(32)
    return NewApiKey(secret, secret[:_PREFIX_LENGTH], api_key_hash(secret))


def api_key_hash(secret: str) -> bytes:
    """The SHA-256 of a key: a slow hash would add nothing to 256 random bits.

    >>> len(api_key_hash("sch_example"))
    32
    """
    return hashlib.sha256(secret.encode()).digest()
