"""Addresses of HTTP calls: which can be called at all, and how they are shown."""

import re
from typing import Any
from urllib.parse import urlsplit


def url_problem(url: Any) -> str | None:
    """Why this is no address that an http task can call, in a sentence without secrets; None when it is one.

    >>> url_problem("https://user:secret@example.org/")
    "'https://example.org/' has a user or password in it. Put them into headers, such as Authorization."
    """
    if url is None:
        return "An http task needs url."
    if not isinstance(url, str):
        return f"url is a string, not {_KINDS.get(type(url), 'what was given')}."
    shown = shown_url(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"'{shown}' is no URL: its host cannot be read. An IPv6 address stands in brackets, http://[::1]/."
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return f"'{shown}' is no URL this task type can call. Write http://host/path or https://host/path."
    if "@" in parts.netloc:
        return f"'{shown}' has a user or password in it. Put them into headers, such as Authorization."
    if any(character <= " " or character == "\x7f" for character in url):
        return f"'{shown}' contains a space or control character. Write it as %20."
    if "\\" in parts.netloc or not parts.hostname:
        return f"'{shown}' is no URL this task type can call. Write http://host/path or https://host/path."
    _, colon, port = parts.netloc.rpartition("]")[2].rpartition(":")
    if colon and port and not _is_port(port):
        return f"'{shown}' is no URL: its port is no number from 1 to 65535."
    return None


def shown_url(url: str) -> str:
    """The address without what may be secret: user and password, query, fragment; at most 200 characters.

    >>> shown_url("https://user:secret@example.org/path?token=secret#part")
    'https://example.org/path'
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    is_port = authority.endswith("]") or _is_port(authority.rpartition(":")[2])
    if ":" in authority and "@" not in authority and "@" in tail and not is_port:
        # A password that contains "/", "?" or "#".
        authority, tail = "…", ""
    shown = f"{scheme}{separator}{authority.rpartition('@')[2]}{re.split('[?#]', tail)[0]}"
    return re.sub(r"[\x00-\x20\x7f]", "\N{REPLACEMENT CHARACTER}", shown[:200])


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}
