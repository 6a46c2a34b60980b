"""Whether what a task is mapped over can be a list at all, judged by the tasks upstream."""

import re

from scheduler_core.models import FlowOptions

_WHOLE_RESULT = re.compile(r"""\s*upstream\s*(?:\.\s*(\w+)|\[\s*(["'])(.+)\2\s*\])\s*\.\s*(results?)\s*""")
_OBJECT_RESULTS = {
    "shell": "an object with exit_code",
    "http": "an object with status, headers and body: use .result.body for the body",
}


def mapped_upstream(map_over: str) -> tuple[str, str] | None:
    """The task whose whole result, or results, is mapped over, and which of the two; None for other expressions.

    >>> mapped_upstream("upstream.list_files.result"), mapped_upstream("params.regions")
    (('list_files', 'result'), None)
    """
    match = _WHOLE_RESULT.fullmatch(map_over)
    return None if match is None else (match[1] or match[3], match[4])


def map_problem(map_over: str, task_type: str, options: FlowOptions) -> str | None:
    """Why the whole result of a task of this type can never be a list; None when it may be one.

    >>> map_problem("upstream.a.result", "shell", FlowOptions())
    "The result of 'a' is never a list: a shell task gives an object with exit_code. Map over a list."
    """
    mapped = mapped_upstream(map_over)
    if mapped is None:
        return None
    name, kind = mapped
    if kind == "results":
        if options.is_group:
            return None
        return f"'{name}' is a single run, which has a result and no results. Use upstream.{name}.result."
    if options.is_group:
        return f"'{name}' is a group of runs, which has results and no result. Use upstream.{name}.results."
    if task_type in _OBJECT_RESULTS:
        article = "an" if task_type == "http" else "a"
        told = f"{article} {task_type} task gives {_OBJECT_RESULTS[task_type]}"
        return f"The result of '{name}' is never a list: {told}. Map over a list."
    return None
