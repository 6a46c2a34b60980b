"""A flow in the languages of graph tools: DOT for Graphviz, and Mermaid."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from scheduler_api.client.flow_words import by_head, edge_words, look_of, note_words, took_words

# Fill and line for each kind of status: dark enough to be read on white, light enough to be read on black.
_FILLS = {
    "COMPLETED": ("#d7f0dc", "#2e7d4f"),
    "RUNNING": ("#d5e8f7", "#2f6fb2"),
    "DISPATCHED": ("#d5e8f7", "#2f6fb2"),
    "PENDING": ("#eeeeee", "#757575"),
    "FAILED": ("#f9d9d6", "#b3382c"),
    "TIMEOUT": ("#f9d9d6", "#b3382c"),
    "QUARANTINED": ("#f9d9d6", "#b3382c"),
    "CANCELLED": ("#fbeecb", "#96730c"),
    "SKIPPED": ("#fbeecb", "#96730c"),
}
_INK = "#202020"
# Whatever Mermaid could take for a word of its own, or for markup, is written by its number.
_MERMAID_UNSAFE = re.compile(r"[^\w \-.,:()/]|_|[-.)](?= |$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def dot(view: Mapping[str, Any]) -> str:
    """The flow for Graphviz; node ids are r and the run's id."""
    lines = [
        "digraph flow {",
        f"  graph [rankdir=TB, label={_dot_quoted(_title(view))}, labelloc=t, compound=true];",
        f'  node [shape=box, style="rounded,filled", fontname="sans-serif", fontcolor="{_INK}"];',
    ]
    lines += _members(by_head(view["nodes"]), None, "  ", _dot_node, _dot_cluster)
    for edge in view["edges"]:
        if edge["kind"] == "dependency":
            lines.append(f"  r{edge['upstream_run_id']} -> r{edge['run_id']};")
        else:
            other = f"x{edge['upstream_run_id']}"
            lines.append(
                f'  {other} [label={_dot_quoted(edge_words(edge))}, style="rounded,dashed", fillcolor=transparent];'
            )
            lines.append(f"  {other} -> r{edge['run_id']} [style=dashed];")
    lines += [f"  r{head} -> r{run_id} [style=dotted];" for head, run_id in _entries(view)]
    return "\n".join([*lines, "}\n"])


def mermaid(view: Mapping[str, Any]) -> str:
    """The flow as a Mermaid flowchart; node ids are r and the run's id."""
    lines = ["---", "title: " + _yaml_quoted(_title(view)), "---", "flowchart TD"]
    lines += _members(by_head(view["nodes"]), None, "  ", _mermaid_node, _mermaid_subgraph)
    for edge in view["edges"]:
        if edge["kind"] == "dependency":
            lines.append(f"  r{edge['upstream_run_id']} --> r{edge['run_id']}")
        else:
            other = f"x{edge['upstream_run_id']}"
            lines.append(f'  {other}["{_mermaid_text(edge_words(edge))}"] -.-> r{edge["run_id"]}')
    lines += [f"  r{head} -.-> r{run_id}" for head, run_id in _entries(view)]
    for status in sorted({look_of(node) for node in view["nodes"]}):
        fill, line = _FILLS.get(status, _FILLS["PENDING"])
        lines.append(f"  classDef {status.lower()} fill:{fill},stroke:{line},color:{_INK}")
    return "\n".join([*lines, ""])


def _members(
    levels: Mapping[int | None, Sequence[Mapping[str, Any]]],
    head: int | None,
    indent: str,
    draw: Callable[[Mapping[str, Any], str], str],
    enclose: Callable[[Mapping[str, Any], str, list[str]], list[str]],
) -> Iterator[str]:
    """The nodes of a level, each sub-flow enclosed."""
    for node in levels.get(head, ()):
        yield draw(node, indent)
        if node["run_id"] in levels:
            inner = list(_members(levels, node["run_id"], f"{indent}  ", draw, enclose))
            yield from enclose(node, indent, inner)


def _entries(view: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """From each sub-flow's head to where the sub-flow begins."""
    known = {node["run_id"] for node in view["nodes"]}
    waiting = {edge["run_id"] for edge in view["edges"] if edge["kind"] == "dependency"}
    for node in view["nodes"]:
        if node["group_id"] in known and node["run_id"] not in waiting:
            yield node["group_id"], node["run_id"]


def _label(node: Mapping[str, Any]) -> Sequence[str]:
    took = took_words(node)
    return [str(node["task_name"]), str(node["status"]) + (f", {took}" if took != "-" else ""), *note_words(node)]


def _title(view: Mapping[str, Any]) -> str:
    flow = view["flow"]
    more = f" ({len(view['nodes'])} of {view['node_count']} runs shown)" if view.get("truncated") else ""
    return f"Flow {flow['id']} of {flow['task_name']}: {flow['status']}{more}"


def _dot_node(node: Mapping[str, Any], indent: str) -> str:
    fill, line = _FILLS.get(look_of(node), _FILLS["PENDING"])
    label = _dot_quoted("\n".join(_label(node)))
    return f'{indent}r{node["run_id"]} [label={label}, fillcolor="{fill}", color="{line}"];'


def _dot_cluster(head: Mapping[str, Any], indent: str, inner: list[str]) -> list[str]:
    name = _dot_quoted(str(head["task_name"]))
    return [f"{indent}subgraph cluster_{head['run_id']} {{", f"{indent}  label={name};", *inner, f"{indent}}}"]


def _dot_quoted(text: str) -> str:
    r"""A string of DOT, in which line ends stay line ends and backslashes are themselves.

    >>> print(_dot_quoted('a "b"\\n\nc'))
    "a \"b\"\\n\nc"
    """
    lines = [_CONTROL.sub("\N{REPLACEMENT CHARACTER}", line) for line in text.split("\n")]
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'


def _mermaid_node(node: Mapping[str, Any], indent: str) -> str:
    label = "<br/>".join(map(_mermaid_text, _label(node)))
    return f'{indent}r{node["run_id"]}["{label}"]:::{look_of(node).lower()}'


def _mermaid_subgraph(head: Mapping[str, Any], indent: str, inner: list[str]) -> list[str]:
    opening = f'{indent}subgraph s{head["run_id"]}["{_mermaid_text(str(head["task_name"]))}"]'
    return [opening, *inner, f"{indent}end"]


def _mermaid_text(text: str) -> str:
    """Text for a quoted label.

    >>> _mermaid_text('load "x" [1]')
    'load #34;x#34; #91;1#93;'
    """
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return _MERMAID_UNSAFE.sub(lambda match: f"#{ord(match[0])};", text)


def _yaml_quoted(text: str) -> str:
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return "'" + text.replace("'", "''") + "'"
