"""Renders the templates of one run. It imports jinja2."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jinja2
from jinja2 import StrictUndefined
from msgspec import UNSET

from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.context import TemplateContext
from scheduler_core.decisions.templating.environment import Compiled, compiled_expression, compiled_template
from scheduler_core.decisions.templating.markers import is_template
from scheduler_core.decisions.templating.scope import NO_INTERVAL, NO_ITEM, NO_SHARD
from scheduler_core.decisions.templating.values import as_text
from scheduler_core.errors import TemplateError

_REASON_MAX = 500
_RAW_HINT = ". Braces that are no template stand between {% raw %} and {% endraw %}."


class Rendering:
    """The templates of one run, which share one budget."""

    def __init__(self, context: TemplateContext) -> None:
        self._budget = Budget()
        self._names = {
            "params": context.params,
            "upstream": context.upstream,
            "run": context.run,
            "interval": _absent(NO_INTERVAL) if context.interval is None else context.interval,
            "item": _absent(NO_ITEM) if context.item is UNSET else context.item,
            "shard": _absent(NO_SHARD) if context.shard is None else context.shard,
        }

    def parameters(self, parameters: Mapping[str, Any], texts: Collection[str] = ()) -> dict[str, Any]:
        """See `templates.render_parameters`."""
        return {
            key: self._texts(each, key) if key in texts else self._value(each, key) for key, each in parameters.items()
        }

    def expression(self, expression: str) -> Any:
        """See `templates.evaluate`."""
        return self._rendered(compiled_expression, expression, "")

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return self._rendered(compiled_template, value, path) if is_template(value) else value
        if isinstance(value, Mapping):
            return {key: self._value(each, f"{path}.{key}") for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(each, f"{path}.{index}") for index, each in enumerate(value)]
        return value

    def _texts(self, value: Any, path: str) -> Any:
        made = self._value(value, path)
        if isinstance(value, str):
            return made if made is None or value is made else self._each_as_text(made)
        if isinstance(value, Mapping):
            return {key: self._as_text(each, made[key]) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._as_text(each, now) for each, now in zip(value, made, strict=True)]
        return made

    def _each_as_text(self, made: Any) -> Any:
        if isinstance(made, list):
            return [as_text(each, self._budget) for each in made]
        if isinstance(made, dict):
            return {key: as_text(each, self._budget) for key, each in made.items()}
        return as_text(made, self._budget)

    def _as_text(self, before: Any, made: Any) -> Any:
        return as_text(made, self._budget) if isinstance(before, str) and is_template(before) else made

    def _rendered(self, compiled: Callable[[str], Compiled], source: str, path: str) -> Any:
        try:
            self._budget.step()
            return compiled(source).render(self._names, self._budget)
        except Exception as error:  # whatever it is, the template is what fails
            raise TemplateError(source, reason_of(error), path) from error


def reason_of(error: Exception, *, syntax_hint: str = _RAW_HINT) -> str:
    """Why a template cannot be read or rendered, as a sentence; `syntax_hint` follows what is wrong with its form."""
    if isinstance(error, ValueError) and "integer string conversion" in str(error):
        return "a whole number is too large: it has more than 64 bits."
    if isinstance(error, RecursionError):
        return "it, or a value that it uses, is nested too deeply."
    text = (error.message if isinstance(error, jinja2.TemplateError) else str(error)) or type(error).__name__
    if isinstance(error, jinja2.TemplateSyntaxError):
        text = f"line {error.lineno}: {text}" if error.lineno > 1 else text
        text = text.rstrip(".") + syntax_hint
    elif not isinstance(error, LimitError | jinja2.TemplateError):
        text = f"{type(error).__name__}: {text}"
    text = text if len(text) <= _REASON_MAX else f"{text[: _REASON_MAX - 1]}…"
    return text if text.endswith((".", "…", "?")) else f"{text}."


def _absent(why: str) -> StrictUndefined:
    return StrictUndefined(hint=why)
