"""What an address names: a task or limit by id or name, a run by id."""

from scheduler_core.errors import FlowNotFoundError, LimitNotFoundError, TaskNotFoundError, TaskRunNotFoundError
from scheduler_core.models import TaskReference

_ID_MAX = 2**63 - 1
_NAME_LENGTH_MAX = 255


def parse_task_reference(text: str, namespace: str) -> TaskReference:
    """An id for digits, else a name; raises TaskNotFoundError for what no task can be called."""
    if text.isascii() and text.isdigit():
        if len(text) <= 19 and int(text) <= _ID_MAX:
            return int(text)
    elif not text.isdigit() and len(text) <= _NAME_LENGTH_MAX and "\0" not in text:
        return text
    raise TaskNotFoundError(text[:_NAME_LENGTH_MAX].replace("\0", ""), namespace)


def parse_limit_reference(text: str, namespace: str) -> int | str:
    """An id for digits, else a name; raises LimitNotFoundError for what no limit can be called."""
    if _is_id(text):
        return int(text)
    if text.isdigit() or len(text) > _NAME_LENGTH_MAX or "\0" in text:
        raise LimitNotFoundError(text[:_NAME_LENGTH_MAX].replace("\0", ""), namespace)
    return text


def parse_run_id(text: str) -> int:
    """The id of a run; raises TaskRunNotFoundError for what cannot be one."""
    if _is_id(text):
        return int(text)
    raise TaskRunNotFoundError(text[:50])


def parse_flow_id(text: str) -> int:
    """The id of a flow; raises FlowNotFoundError for what cannot be one."""
    if _is_id(text):
        return int(text)
    raise FlowNotFoundError(text[:50])


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _ID_MAX
