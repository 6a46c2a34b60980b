"""Bytes into JSON values, within limits that no honest request reaches."""

from typing import Any

import msgspec

from scheduler_api.api_error import MalformedBodyError

JSON_DEPTH_MAX = 32


def decode_json(body: bytes) -> Any:
    """The JSON value of a request's body; raises MalformedBodyError when it is none or nested too deeply."""
    if not body.strip():
        raise MalformedBodyError("The request has no body. Send a JSON object.")
    try:
        document = msgspec.json.decode(body)
    except RecursionError:
        raise MalformedBodyError(_TOO_DEEP) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"The body is not JSON: {error}.") from error
    _check_depth(document)
    return document


_TOO_DEEP = f"The body is nested more than {JSON_DEPTH_MAX} levels deep. Flatten it."


def _check_depth(document: Any) -> None:
    """Level by level, without recursion."""
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(JSON_DEPTH_MAX):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise MalformedBodyError(_TOO_DEEP)
