"""Parameters of runs whose templates are still to be rendered."""

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from scheduler_core.decisions.parameter_rules import TEXT_PARAMETERS
from scheduler_core.decisions.templates import TemplateContext, render_parameters, upstream_context
from scheduler_core.decisions.templating.markers import is_template, template_texts
from scheduler_core.models import ClaimedRun, RunInputs, TaskVersion
from scheduler_worker.own_thread import in_own_thread

QUICK_CHARACTERS_MAX: Final = 1000
"""How long the templates of a run may be in all to be rendered without a thread; to compile them takes most time."""
QUICK_OUTPUT_MAX: Final = 20_000
"""How much these may give for that: each of them all of the parameters and the item, in characters of JSON."""

# What takes no longer than its value is long. Everything else may compare or go through lists, again and again.
_PLAIN = re.compile(
    r"\{\{\s*[A-Za-z_]\w*(?:\.\w+)*\s*"
    r"(?:\|\s*(?:quote|tojson|string|int|float|(?:default|d|date)\('[^'{}\\]*'\))\s*){0,3}\}\}"
)


class _Facts(NamedTuple):
    """What is known of a version's parameters, or of a run's: characters of JSON, and the templates among them."""

    size: int = 0
    expressions: int = 0
    has_templates: bool = False
    needs_upstream: bool = False
    is_plain: bool = True
    """They only put in values, and are short."""


_NOTHING = _Facts()


class ParameterTemplates:
    """Knows of each version whether its parameters are templates, and renders those of runs."""

    def __init__(self) -> None:
        self._facts: dict[int, _Facts] = {}

    def are_in(self, claimed: ClaimedRun, version: TaskVersion) -> bool:
        """Whether there is anything to render for this run."""
        return self._of_version(version).has_templates or _of_run(claimed).has_templates

    def need_upstream(self, claimed: ClaimedRun, version: TaskVersion) -> bool:
        """Whether the run's templates may ask for the runs upstream of it."""
        return self._of_version(version).needs_upstream or _of_run(claimed).needs_upstream

    async def rendered(
        self, parameters: Mapping[str, Any], claimed: ClaimedRun, version: TaskVersion, inputs: RunInputs | None
    ) -> dict[str, Any]:
        """The parameters that the run is carried out with; raises TemplateError.

        What may take long is done in a thread; it ends within a second or so by itself.
        """
        context = _context(parameters, claimed, version, inputs)
        texts = TEXT_PARAMETERS.get(version.task_type, ())
        # Loading jinja2 takes a tenth of a second.
        if self._is_quick(claimed, version) and "jinja2" in sys.modules:
            return render_parameters(parameters, context, texts)
        return await in_own_thread(lambda: render_parameters(parameters, context, texts))

    def _is_quick(self, claimed: ClaimedRun, version: TaskVersion) -> bool:
        of_version, of_run = self._of_version(version), _of_run(claimed)
        values = of_version.size + of_run.size + len(claimed.item or "")
        output = (of_version.expressions + of_run.expressions) * values
        return of_version.is_plain and of_run.is_plain and output <= QUICK_OUTPUT_MAX

    def _of_version(self, version: TaskVersion) -> _Facts:
        facts = self._facts.get(version.id)
        if facts is None:
            texts = (text for _, text in template_texts(version.parameters))
            facts = self._facts[version.id] = _facts(texts, len(msgspec.json.encode(version.parameters)))
        return facts


def _of_run(claimed: ClaimedRun) -> _Facts:
    if claimed.parameters is None:
        return _NOTHING
    # The JSON text of all of them: it may say too much, never too little.
    texts = [claimed.parameters] if is_template(claimed.parameters) else []
    return _facts(texts, len(claimed.parameters))


def _facts(texts: Iterable[str], size: int) -> _Facts:
    found = list(texts)
    needs_upstream = any("upstream" in text for text in found)
    is_short = sum(map(len, found)) <= QUICK_CHARACTERS_MAX
    return _Facts(
        size=size,
        expressions=sum(text.count("{{") for text in found),
        has_templates=bool(found),
        needs_upstream=needs_upstream,
        is_plain=is_short and not needs_upstream and not any(is_template(_PLAIN.sub("", text)) for text in found),
    )


def _context(
    parameters: Mapping[str, Any], claimed: ClaimedRun, version: TaskVersion, inputs: RunInputs | None
) -> TemplateContext:
    interval = None
    if claimed.interval_from is not None and claimed.interval_to is not None:
        interval = {"from": claimed.interval_from, "to": claimed.interval_to}
    shard = None
    if claimed.shard_index is not None and claimed.shard_total is not None:
        shard = {"index": claimed.shard_index, "total": claimed.shard_total}
    return TemplateContext(
        params=parameters,
        upstream={} if inputs is None else upstream_context(inputs),
        run={
            "id": claimed.id,
            "flow_id": claimed.flow_id,
            "attempt": claimed.attempt,
            "task": version.task_name,
            "namespace": version.namespace,
            "scheduled_at": claimed.scheduled_at,
        },
        interval=interval,
        item=msgspec.UNSET if claimed.item is None else msgspec.json.decode(claimed.item),
        shard=shard,
    )
