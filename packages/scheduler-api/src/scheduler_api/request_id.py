"""The id of the request that is being served, for answers and logs."""

import re
import uuid
from contextvars import ContextVar

_USABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_current: ContextVar[str] = ContextVar("scheduler_request_id", default="")


def current_request_id() -> str:
    """The id of the request being served; empty outside of one."""
    return _current.get()


def begin_request(offered: str) -> str:
    """Take the caller's id when it is harmless, else make one; it holds for the current context."""
    request_id = offered if _USABLE.fullmatch(offered) else uuid.uuid4().hex
    _current.set(request_id)
    return request_id
