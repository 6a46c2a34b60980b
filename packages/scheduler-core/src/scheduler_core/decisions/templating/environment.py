"""The sandbox that templates are compiled and rendered in. It imports jinja2: load it only when there is a template."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from jinja2 import StrictUndefined, Template, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.filters import VALUE_FILTERS
from scheduler_core.decisions.templating.list_filters import CHOOSING_FILTERS, LIST_FILTERS
from scheduler_core.decisions.templating.markers import is_template
from scheduler_core.decisions.templating.operations import arithmetic, require
from scheduler_core.decisions.templating.rewriting import INNER_FILTERS, rewritten
from scheduler_core.decisions.templating.scope import ANYTHING
from scheduler_core.decisions.templating.syntax import syntax_problems
from scheduler_core.decisions.templating.tests import BUDGET, TESTS, budget_of
from scheduler_core.decisions.templating.values import as_json, as_text, checked_text, kind_of

SOURCE_MAX = 65_536
COMPILED_MAX = 256

_RESULT = "result"


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """jinja2's sandbox without anything that is not named here; all work is accounted for in a Budget."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)

    def __init__(self) -> None:
        super().__init__(
            # {# is part of shell scripts (${#list[@]}), so there are no comments: no text holds a NUL.
            comment_start_string="\0#",
            comment_end_string="#\0",
            keep_trailing_newline=True,
            undefined=StrictUndefined,
            autoescape=False,
            optimized=False,
            cache_size=0,
            finalize=_as_output,
        )
        self.globals = {}
        self.tests = dict(TESTS)
        self.filters = {
            "default": _default,
            "d": _default,
            **{name: _accounted(work) for name, work in {**VALUE_FILTERS, **LIST_FILTERS}.items()},
            **CHOOSING_FILTERS,
            **INNER_FILTERS,
        }

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See SandboxedEnvironment."""
        return arithmetic(operator, left, right, budget_of(context))

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """See SandboxedEnvironment."""
        return arithmetic(operator, 0, arg, budget_of(context))

    # Look-ups and calls of templates are rewritten into filters: whatever comes here has slipped through.

    def getattr(self, obj: Any, attribute: str) -> NoReturn:
        """See SandboxedEnvironment."""
        raise SecurityError(f"{attribute!r:.50} of {kind_of(obj)} cannot be looked up.")

    def getitem(self, obj: Any, argument: Any) -> NoReturn:
        """See SandboxedEnvironment."""
        raise SecurityError(f"{argument!r:.50} of {kind_of(obj)} cannot be looked up.")

    def call(self, *_: Any, **__: Any) -> NoReturn:
        """See SandboxedEnvironment."""
        raise SecurityError("nothing can be called.")


def _accounted(work: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def run(context: Context, value: Any, *arguments: Any, **named: Any) -> Any:
        budget = budget_of(context)
        budget.step()
        for each in (value, *arguments, *named.values()):
            require(each)
        return work(budget, value, *arguments, **named)

    return run


@pass_context
def _default(context: Context, value: Any, default_value: Any = "", boolean: Any = False) -> Any:
    budget_of(context).step()
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


@pass_context
def _as_output(context: Context, value: Any) -> str:
    budget = budget_of(context)
    budget.step()
    require(value)
    return as_text(value, budget)


class Compiled(NamedTuple):
    """A template or expression that may be rendered any number of times, from any thread."""

    template: Template
    is_native: bool

    def render(self, names: Mapping[str, Any], budget: Budget) -> Any:
        """The value for these names: JSON for a lone expression, else text; raises what jinja2 and limits raise."""
        context = self.template.new_context({**names, BUDGET: budget})
        pieces, size = [], 0
        for piece in self.template.root_render_func(context):
            size += len(piece)
            budget.text(size)
            budget.produce(-size + len(piece))
            pieces.append(piece)
        return as_json(context.vars[_RESULT], budget) if self.is_native else checked_text("".join(pieces))


def parsed_template(source: str) -> nodes.Template:
    """The syntax tree of a template; raises TemplateSyntaxError and LimitError."""
    _check_length(source)
    return _environment().parse(source)


def parsed_expression(source: str) -> nodes.Expr:
    """The syntax tree of an expression, which stands without braces; raises TemplateSyntaxError and LimitError."""
    _check_length(source)
    if is_template(source):
        raise LimitError("an expression stands by itself here, without {{ }} and {% %}.")
    if not source.strip():
        raise LimitError("the expression is empty.")
    parser = Parser(_environment(), source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise LimitError(f"something follows the expression: {parser.stream.current.value!r:.50}.")
    return expression


def raw_tokens(source: str, *, is_expression: bool) -> Iterator[tuple[str, str]]:
    """Kinds and texts of all tokens, in order; only white space may be missing between two. Raises as parsing does."""
    lexer = _environment().lexer
    for _, kind, text in lexer.tokeniter(source, None, None, "variable" if is_expression else None):
        yield kind, text


def lone_expression(template: nodes.Template) -> nodes.Expr | None:
    """The expression if the whole template is one `{{ … }}`, else None."""
    if len(template.body) != 1 or not isinstance(template.body[0], nodes.Output):
        return None
    parts = template.body[0].nodes
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData) else None


@lru_cache(COMPILED_MAX)
def compiled_template(source: str) -> Compiled:
    """A parameter's text, ready to be rendered; raises TemplateSyntaxError and LimitError."""
    template = parsed_template(source)
    expression = lone_expression(template)
    return _compiled(template) if expression is None else _compiled_expression(expression)


@lru_cache(COMPILED_MAX)
def compiled_expression(source: str) -> Compiled:
    """An expression, ready to be evaluated; raises TemplateSyntaxError and LimitError."""
    return _compiled_expression(parsed_expression(source))


def _compiled_expression(expression: nodes.Expr) -> Compiled:
    _check(expression)
    store = nodes.Name(_RESULT, "store", lineno=1)
    template = nodes.Template([nodes.Assign(store, expression, lineno=1)], lineno=1)
    return _made(template, is_native=True)


def _compiled(template: nodes.Template) -> Compiled:
    _check(template)
    return _made(template, is_native=False)


def _made(template: nodes.Template, *, is_native: bool) -> Compiled:
    environment = _environment()
    changed = rewritten(template)
    changed.set_environment(environment)
    code = environment.compile(changed)
    return Compiled(Template.from_code(environment, code, {}), is_native)


def _check(node: nodes.Node) -> None:
    problems = syntax_problems(node, ANYTHING)
    if problems:
        raise LimitError(" ".join(problems))


def _check_length(source: str) -> None:
    if len(source) > SOURCE_MAX:
        raise LimitError(
            f"it has {len(source)} characters; at most {SOURCE_MAX} are read as a template. Put what is no "
            "template into a parameter of its own."
        )


@lru_cache(1)
def _environment() -> TemplateEnvironment:
    return TemplateEnvironment()
