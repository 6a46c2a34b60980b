"""Templates and expressions that cannot be rendered."""

from scheduler_core.errors.invalid_input_error import Problem
from scheduler_core.errors.scheduler_error import SchedulerError

_SHOWN_MAX = 200


def storable(text: str) -> str:
    """The text with escapes for the characters that the database cannot store: NUL and lone surrogates.

    >>> storable("a\\0b\\ud800")
    'a\\\\x00b\\\\ud800'
    """
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


class TemplateError(SchedulerError, ValueError):
    """A template or expression cannot be read or has no value; `field` is its parameter's path, such as command.1."""

    def __init__(self, expression: str, reason: str, field: str = "") -> None:
        shown = expression if len(expression) <= _SHOWN_MAX else expression[: _SHOWN_MAX - 1] + "…"
        where = f"{field}: " if field else ""
        super().__init__(storable(f"{where}{shown!r} cannot be rendered: {reason}"))
        self.expression = expression
        self.reason = storable(reason)
        self.field = field

    def at(self, field: str) -> "TemplateError":
        """The same, told of this parameter."""
        return TemplateError(self.expression, self.reason, field)

    @property
    def problem(self) -> Problem:
        """What it is as a problem of a definition."""
        return Problem(f"parameters.{self.field}" if self.field else "", str(self))
