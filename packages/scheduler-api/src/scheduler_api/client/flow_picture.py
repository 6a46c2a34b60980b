"""A flow in each format that can be asked for, and where it is written to."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.flow_graph import Look
from scheduler_api.client.flow_view import flow_lines
from scheduler_api.client.output import Output, printable
from scheduler_core.errors import Problem
from scheduler_core.runtime.console import wants_colour

Format = Literal["text", "dot", "mermaid", "svg", "json"]


def drawn_flow(view: Mapping[str, Any], picture: Format, *, gantt: bool, to_file: bool) -> str:
    """The flow in a format; as text it fits this terminal, and into what stdout can hold unless it goes to a file."""
    if picture == "json":
        return json.dumps(view, indent=2, ensure_ascii=False) + "\n"
    if picture == "dot":
        from scheduler_api.client.flow_formats import dot

        return dot(view)
    if picture == "mermaid":
        from scheduler_api.client.flow_formats import mermaid

        return mermaid(view)
    if picture == "svg":
        from scheduler_api.client.flow_gantt import gantt_svg

        return gantt_svg(view)
    look = _look(to_file=to_file)
    head = printable(flow_lines(view), keep_lines=True)
    if gantt:
        from scheduler_api.client.flow_gantt import gantt_text

        text = f"{head}\n\n{gantt_text(view, look)}"
    else:
        from scheduler_api.client.flow_graph import draw_flow

        text = f"{head}\n\n{draw_flow(view, look)}"
    if look.unicode:
        return text
    encoding = _stdout_encoding()
    return text.encode(encoding, "replace").decode(encoding)


def write_picture(output: Output, content: str, out: Path | None) -> None:
    """Write to stdout, or to a file; raises UsageError when that cannot be written."""
    if out is None:
        output.raw(content)
        return
    try:
        out.write_text(content, encoding="utf-8")
    except OSError as error:
        told = f"'{out}' cannot be written: {(error.strerror or str(error)).lower()}. Name another file."
        raise UsageError([Problem("--out", told)]) from error
    output.note(f"Wrote {out}.")


def _look(*, to_file: bool) -> Look:
    width = shutil.get_terminal_size((100, 24)).columns
    if to_file:
        return Look(width=width)
    try:
        "│●✗█…".encode(_stdout_encoding())
    except UnicodeEncodeError:
        return Look(width=width, colour=wants_colour(sys.stdout), unicode=False)
    return Look(width=width, colour=wants_colour(sys.stdout))


def _stdout_encoding() -> str:
    return sys.stdout.encoding or "ascii"
