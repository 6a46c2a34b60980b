"""What the pages show is true: every block is code that is checked here or executed by the end-to-end tests."""

import json
import re
from pathlib import Path

import pytest
import yaml

from fixtures.documentation import (
    EXECUTED,
    FOR_READING,
    ROOT,
    VALIDATED,
    Block,
    Step,
    all_blocks,
    blocks_of,
    console_steps,
    count_blocks,
    output_matches,
    pages,
)
from scheduler_api.client.task_file import read_task_files
from scheduler_api.schemas.task_input import read_task
from scheduler_core.config import load_settings

BLOCKS = all_blocks()


def _check_toml(block: Block, directory: Path) -> None:
    name = "tasks.toml" if re.search(r"^\s*\[\[task\]\]", block.text, re.MULTILINE) else "scheduler.toml"
    (directory / name).write_text(block.text, encoding="utf-8")
    if name == "tasks.toml":
        tasks = read_task_files([str(directory / name)])
        assert tasks
        # What the API would say to each, but for the types, which the plug-ins of its workers decide.
        assert [problem for task in tasks for problem in read_task(task.definition, None).problems] == []
    else:
        assert (
            load_settings(config_dir=directory, environ={"SCHEDULER_STATE_DIR": str(directory)}).config_dir == directory
        )


def _check(block: Block, directory: Path) -> None:
    match block.language:
        case "toml":
            _check_toml(block, directory)
        case "json":
            json.loads(block.text)
        case "yaml":
            assert yaml.safe_load(block.text)
        case "python":
            exec(compile(block.text, str(block), "exec"), {"__name__": "documentation"})  # noqa: S102


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in VALIDATED], ids=str)
def test_block_is_valid(
    block: Block, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader can copy the block: settings and tasks are accepted, JSON and YAML parse, Python runs."""
    monkeypatch.chdir(tmp_path)
    _check(block, tmp_path)
    count_blocks(request, 1, "validated")


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_block_has_a_known_language(block: Block) -> None:
    """No block escapes: its language says whether it is executed, validated, or output and drawings for reading."""
    assert block.language in {*EXECUTED, *VALIDATED, *FOR_READING}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_page_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file of the checkout, and its anchor a heading there."""
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{page.relative_to(ROOT)} links to {target}"
        if anchor:
            assert anchor in _anchors(path), f"{page.relative_to(ROOT)} links to {target}, which has no such heading"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_blocks_of_reads_options_and_indented_blocks(tmp_path: Path) -> None:
    """A comment before a block says how it is run; a block within a list loses the list's indentation."""
    page = tmp_path / "page.md"
    background = '<!-- run: background until="is ready" -->\n```bash\nserve \\\n  --now\n```\n'
    page.write_text(f"Text\n{background}- item\n  ```json\n  {{}}\n  ```\n")
    first, second = blocks_of(page)
    assert (first.line, first.language, first.text) == (3, "bash", "serve \\\n  --now\n")
    assert first.options == {"background": "", "until": "is ready"}
    assert (second.text, second.options) == ("{}\n", {})


def test_blocks_of_refuses_a_block_that_is_not_closed(tmp_path: Path) -> None:
    """A page that a forgotten fence swallows is found."""
    page = tmp_path / "page.md"
    page.write_text("```bash\ntrue\n")
    with pytest.raises(ValueError, match="not closed"):
        blocks_of(page)


def test_console_steps_part_commands_from_output() -> None:
    """What follows a prompt is the command, also over several lines; the rest is its output."""
    text = "$ echo a \\\n    b\na b\n\n$ true\n"
    assert console_steps(text) == [Step("echo a \\\n    b", "a b"), Step("true", "")]


@pytest.mark.parametrize(
    ("shown", "real", "expected"),
    [
        ("took 31 ms", "took 1.5 s", True),
        ("ID  TASK\n1   report", "ID\tTASK\n77\treport", True),
        ("first\n…\nlast", "first\nsecond\nthird\nlast", True),
        ("first\nlast", "first\nsecond\nlast", False),
        ("COMPLETED", "FAILED", False),
        ("", "something", False),
    ],
)
def test_output_matches_compares_shapes(shown: str, real: str, expected: bool) -> None:
    """Other numbers are the same output; another word or another line is not."""
    assert output_matches(shown, real) is expected
