"""Flows in DOT and Mermaid, read back by parsers that take nothing else."""

import re
import shutil
import subprocess
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.flow_documents import flow_view
from scheduler_api.client.flow_formats import dot, mermaid

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)

_DOT_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|->|[{}\[\]=,;]|[A-Za-z_][A-Za-z_0-9]*)', re.DOTALL)


class Graph(NamedTuple):
    """What a text says: labels by node id, edges, and the nodes of each enclosure."""

    labels: dict[str, str]
    edges: set[tuple[str, str]]
    enclosed: dict[str, set[str]]


def read_dot(text: str) -> Graph:
    """Read a digraph of the grammar of DOT, as far as flows need it; anything else fails."""
    tokens: list[str] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _DOT_TOKEN.match(text, position)
        assert match, text[position : position + 40]
        tokens.append(match[1])
        position = match.end()
    graph = Graph({}, set(), {})
    assert tokens[:3] == ["digraph", "flow", "{"]
    rest = _dot_block(tokens[3:], graph, None)
    assert rest == []
    return graph


def _dot_block(tokens: list[str], graph: Graph, cluster: str | None) -> list[str]:
    while tokens[0] != "}":
        if tokens[0] == "subgraph":
            assert tokens[1].startswith("cluster_")
            assert tokens[2] == "{"
            graph.enclosed[tokens[1]] = set()
            tokens = _dot_block(tokens[3:], graph, tokens[1])
            continue
        end = tokens.index(";")
        _dot_statement(tokens[:end], graph, cluster)
        tokens = tokens[end + 1 :]
    return tokens[1:]


def _dot_statement(tokens: list[str], graph: Graph, cluster: str | None) -> None:
    if tokens[1:2] == ["="]:
        assert len(tokens) == 3
        return
    head = tokens[: tokens.index("[")] if "[" in tokens else tokens
    attributes = {}
    if "[" in tokens:
        assert tokens[-1] == "]"
        inner = tokens[len(head) + 1 : -1]
        for start in range(0, len(inner), 4):
            name, equals, value, *comma = inner[start : start + 4]
            assert equals == "="
            assert comma in ([","], [])
            attributes[name] = value
    if len(head) == 1:
        if head[0] not in ("graph", "node"):
            graph.labels[head[0]] = _dot_text(attributes["label"])
            if cluster is not None:
                graph.enclosed[cluster].add(head[0])
        return
    upstream, arrow, downstream = head
    assert arrow == "->"
    graph.edges.add((upstream, downstream))


def _dot_text(quoted: str) -> str:
    assert quoted[0] == quoted[-1] == '"'
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), quoted[1:-1])


def read_mermaid(text: str) -> Graph:
    """Read a flowchart whose every label is quoted and has nothing in it that Mermaid could take for its own."""
    graph = Graph({}, set(), {})
    lines = text.splitlines()
    assert lines[0] == lines[2] == "---"
    assert re.fullmatch(r"title: '([^']|'')*'", lines[1])
    assert lines[3] == "flowchart TD"
    stack: list[str] = []
    classes: set[str] = set()
    used: set[str] = set()
    for line in map(str.strip, lines[4:]):
        if match := re.fullmatch(r'(r\d+)\["([^"]*)"\]:::(\w+)', line):
            graph.labels[match[1]] = _mermaid_text(match[2])
            used.add(match[3])
            if stack:
                graph.enclosed[stack[-1]].add(match[1])
        elif match := re.fullmatch(r'subgraph (s\d+)\["([^"]*)"\]', line):
            _mermaid_text(match[2])
            stack.append(match[1])
            graph.enclosed[match[1]] = set()
        elif line == "end":
            stack.pop()
        elif match := re.fullmatch(r"(r\d+) (?:-->|-\.->) (r\d+)", line):
            graph.edges.add((match[1], match[2]))
        elif match := re.fullmatch(r'(x\d+)\["([^"]*)"\] -\.-> (r\d+)', line):
            graph.labels[match[1]] = _mermaid_text(match[2])
            graph.edges.add((match[1], match[3]))
        else:
            match = re.fullmatch(r"classDef (\w+) (?:\w+:#[0-9a-f]{6},?)+", line)
            assert match, line
            classes.add(match[1])
    assert not stack
    assert used == classes
    return graph


def _mermaid_text(label: str) -> str:
    parts = label.split("<br/>")
    for part in parts:
        assert re.fullmatch(r"(?:[^\W_]|[ \-.,:()/]|#\d+;)*", part), part
    return "\n".join(re.sub(r"#(\d+);", lambda match: chr(int(match[1])), part) for part in parts)


READERS = [pytest.param(dot, read_dot, id="dot"), pytest.param(mermaid, read_mermaid, id="mermaid")]


@pytest.mark.parametrize(("write", "read"), READERS)
def test_api_unit_format_holds_nodes_edges_and_sub_flows(write: Any, read: Any) -> None:
    """Every run, every edge, the sub-flow around its own runs, and what was taken from another flow."""
    group = {"kind": "sub_flow", "size": 2, "by_status": {"COMPLETED": 2}}
    view = flow_view(
        {"a": (), "s": ("a",), "x": (), "y": ("x",), "z": ("s",)},
        s={"group": group},
        x={"group_id": 2},
        y={"group_id": 2, "status": "FAILED", "error": 'no "disk"'},
    )
    view["edges"].append(
        {"upstream_run_id": 90, "run_id": 1, "kind": "given", "upstream_task_name": "r", "upstream_status": "COMPLETED"}
    )
    graph = read(write(view))
    inside = ("r2", "r3")
    assert graph.edges == {("r1", "r2"), ("r3", "r4"), ("r2", "r5"), ("x90", "r1"), inside}
    assert [set(found) for found in graph.enclosed.values()] == [{"r3", "r4"}]
    assert graph.labels["r4"] == 'y\nFAILED, 3 s\nno "disk"'
    assert graph.labels["r2"] == "s\nCOMPLETED, 3 s\nsub-flow 2/2"
    assert graph.labels["x90"] == "r taken from run 90 (COMPLETED)"


@pytest.mark.parametrize(("write", "read"), READERS)
@given(names=st.lists(NAMES, min_size=2, max_size=4, unique=True))
def test_api_unit_format_keeps_every_name_as_it_is(write: Any, read: Any, names: list[str]) -> None:
    """Quotes, brackets, backslashes, markup and whatever script: a name comes out as it went in."""
    view = flow_view({name: names[:index][-1:] for index, name in enumerate(names)})
    graph = read(write(view))
    shown = [graph.labels[f"r{index + 1}"].rpartition("\nCOMPLETED")[0] for index in range(len(names))]
    # What some readers take for a line end is replaced.
    assert shown == [name.replace("\u2028", "\ufffd").replace("\u2029", "\ufffd") for name in names]
    assert graph.edges == {(f"r{index}", f"r{index + 1}") for index in range(1, len(names))}


@pytest.mark.parametrize(("write", "read"), READERS)
def test_api_unit_format_replaces_what_no_format_can_hold(write: Any, read: Any) -> None:
    """Control characters, which no terminal or picture should get."""
    graph = read(write(flow_view({"a\x00\x1b[2J": ()})))
    assert graph.labels["r1"].startswith("a\ufffd\ufffd[2J\n")


@pytest.mark.parametrize(("write", "read"), READERS)
def test_api_unit_format_says_that_runs_are_left_out(write: Any, read: Any) -> None:
    """In its title."""
    view = {**flow_view({"a": ()}), "truncated": True, "node_count": 3000}
    assert "(1 of 3000 runs shown)" in write(view)
    assert len(read(write(view)).labels) == 1


def test_api_unit_graphviz_takes_the_dot() -> None:
    """Where Graphviz is installed it draws the flow; elsewhere the strict parser alone has the word."""
    text = dot(flow_view({'a "quoted" \\N [x] {y} <b>|': (), "ü": ('a "quoted" \\N [x] {y} <b>|',)}))
    read_dot(text)
    program = shutil.which("dot")
    if program is not None:
        subprocess.run([program, "-Tsvg"], input=text.encode(), capture_output=True, check=True, timeout=60)
