"""`scheduler simulate` over files: no server, no database, no key."""

import json
import struct
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path
from typing import Any

import pytest

from fixtures.fake_api import FakeApi, task_document
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]

SPRING = ["--from", "2026-03-28", "--to", "2026-03-31"]


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing names a server."""
    for name in ("SCHEDULER_SERVER", "SCHEDULER_API_KEY", "SCHEDULER_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCHEDULER_STATE_DIR", str(tmp_path))


def write(path: Path, **schedules: str) -> str:
    """A task file of these schedules, written as TOML values."""
    path.write_text(
        "".join(
            f'[[task]]\nname = "{name}"\ntask_type = "shell"\nparameters = {{ command = ["true"] }}\n'
            + (f"schedule = {schedule}\n" if schedule else "")
            for name, schedule in schedules.items()
        )
    )
    return str(path)


def simulated(capsys: Capture, *words: str) -> list[dict[str, Any]]:
    """The lines of JSON that a simulation writes."""
    assert main(["simulate", *words, "-o", "json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_simulate_writes_one_slot_a_line_in_order(capsys: Capture, tmp_path: Path) -> None:
    """Slots of all tasks come by time, in UTC and local; what does not apply is left out; the end is excluded."""
    file = write(
        tmp_path / "a.toml",
        nightly='{ cron = "30 2 * * *", timezone = "Europe/Berlin" }',
        daily='{ cron = "0 1 * * *", jitter = "1m", pauses = [{ cron = "0 0 29 * *", lasts = "1d" }] }',
    )
    slots = simulated(capsys, file, "--from", "2026-03-28T01:00:00Z", "--to", "2026-03-30T01:00:00Z")
    assert [(slot["task"], slot["scheduled_at"], slot["local"]) for slot in slots] == [
        ("daily", "2026-03-28T01:00:00Z", "2026-03-28T01:00:00+00:00"),
        ("nightly", "2026-03-28T01:30:00Z", "2026-03-28T02:30:00+01:00"),
        ("nightly", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"),
        ("daily", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00+00:00"),
        ("nightly", "2026-03-30T00:30:00Z", "2026-03-30T02:30:00+02:00"),
    ]
    assert {slot["namespace"] for slot in slots} == {"default"}
    assert [slot.get("paused") for slot in slots] == [None, None, None, True, None]
    assert ["not_before" in slot for slot in slots] == [True, False, False, True, False]


def test_simulate_counts_what_it_lists(capsys: Capture, tmp_path: Path) -> None:
    """The table's counts, first and last slots are those of the lines, shared and seeded schedules included."""
    schedules = {f"t{n}": '"*/7 * * * *"' for n in range(3)}
    schedules |= {"h": '"H H * * *"', "g": '"H H * * *"', "r": '"rrule FREQ=DAILY;BYHOUR=9,17"', "e": '"every 50m"'}
    schedules |= {
        "u": '"0 9 * * * | every 6h"',
        "p": '{ every = 600, pauses = [{ cron = "0 3 * * *", lasts = 7200 }] }',
    }
    file = write(tmp_path / "a.toml", **schedules)
    slots = simulated(capsys, file, *SPRING)
    assert main(["simulate", file, *SPRING]) == 0
    table = capsys.readouterr().out.partition("\n\n")[0]
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    listed = {name: [slot["scheduled_at"] for slot in slots if slot["task"] == name] for name in schedules}
    expected = [
        (name, str(len(times)), times[0].replace("T", " ")[:19], times[-1].replace("T", " ")[:19])
        for name, times in listed.items()
    ]
    assert [(row[0], row[2], row[4], row[5]) for row in rows] == expected
    assert rows[-1][3] == str(3 * 12)  # two hours of every ten minutes, three days


def test_simulate_tells_the_load(capsys: Capture, tmp_path: Path) -> None:
    """The busiest minute is told with its time, and a line of bars shows the load of the day."""
    file = write(tmp_path / "a.toml", a='"0 9 * * *"', b='"0 9 * * *"', c='"0 12 * * *"')
    assert main(["simulate", file, "--from", "2026-03-28", "--to", "2026-03-29"]) == 0
    out = capsys.readouterr().out
    assert "3 slots; at most 2 start in one minute, first at 2026-03-28 09:00 UTC." in out
    assert f"\n{' ' * 18}█{' ' * 5}▄{' ' * 23}|\n" in out


def test_simulate_what_if_tells_what_changes(capsys: Capture, tmp_path: Path) -> None:
    """Changed tasks replace those of their names; slots that come or go are marked, others are not."""
    before = write(tmp_path / "a.toml", a='"0 9 * * *"', b='"0 12 * * *"')
    after = write(tmp_path / "b.toml", a='"0 9,10 * * *"', b="", c='"0 13 * * *"')
    words = [before, "--what-if", after, "--from", "2026-03-28", "--to", "2026-03-29"]
    slots = simulated(capsys, *words)
    assert [(slot["task"], slot["scheduled_at"][11:13], slot.get("change")) for slot in slots] == [
        ("a", "09", None),
        ("a", "10", "added"),
        ("b", "12", "removed"),
        ("c", "13", "added"),
    ]
    assert main(["simulate", *words]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:4]]
    assert [[row[0], *row[2:5]] for row in rows] == [["a", "2", "1", "0"], ["b", "0", "0", "1"], ["c", "1", "1", "0"]]


def test_simulate_says_what_it_assumes_of_a_fixed_delay(capsys: Capture, tmp_path: Path) -> None:
    """The slots of a fixed delay follow runs of the assumed length, and a note says so."""
    file = write(tmp_path / "a.toml", poll='"after_end 10m"')
    hour = ["--from", "2026-03-28T00:00:00Z", "--to", "2026-03-28T01:00:00Z"]
    assert main(["simulate", file, *hour, "--assume-duration", "5m", "-o", "json"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["scheduled_at"][14:16] for line in out.splitlines()] == ["10", "25", "40", "55"]
    assert "poll" in err
    assert "assumed to take 5m" in err


def test_simulate_draws_pictures(capsys: Capture, tmp_path: Path) -> None:
    """SVG is XML with a bar for each busy stretch; PNG is one that decoders take, with as many points as it says."""
    file = write(tmp_path / "a.toml", a='"0 9 * * *"', b='"0 12 * * *"')
    day = ["--from", "2026-03-28", "--to", "2026-03-29", "-q"]
    svg, png = tmp_path / "load.svg", tmp_path / "load.PNG"
    assert main(["simulate", file, *day, "--chart", str(svg)]) == 0
    assert main(["simulate", file, *day, "--chart", str(png), "-o", "json"]) == 0
    bars = ET.parse(svg).getroot().findall(".//{*}g/{*}rect")  # noqa: S314  it is our own
    assert [bar[0].text for bar in bars] == ["2026-03-28 09:00: 1", "2026-03-28 12:00: 1"]
    content = png.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    width, height = struct.unpack(">II", content[16:24])
    (length,) = struct.unpack(">I", content[33:37])
    assert len(zlib.decompress(content[41 : 41 + length])) == height * (1 + 3 * width)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "2026-03-29", "--to", "2026-03-28"], "--from: '2026-03-29'"),
        (["--from", "soon"], "--from: 'soon' is no moment"),
        (["--to", "-1d"], "Give a --to that is later"),
        (["--assume-duration", "long"], "--assume-duration: 'long'"),
        (["--chart", "a.gif"], "--chart: 'a.gif'"),
        (["--chart", "/nowhere/a.svg"], "--chart: '/nowhere/a.svg' cannot be written"),
        (["--what-if", "missing.toml"], "missing.toml: cannot be read"),
        (["--task", "a"], "either task files, or"),
    ],
)
def test_simulate_refuses_what_it_cannot_use(capsys: Capture, tmp_path: Path, words: list[str], told: str) -> None:
    """Each flag that cannot be used is named with its value; nothing is written to stdout."""
    file = write(tmp_path / "a.toml", a='"0 9 * * *"')
    assert main(["simulate", file, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


def test_simulate_judges_files_as_the_server_does(capsys: Capture, tmp_path: Path) -> None:
    """Every problem of every task is told with its file, its task and its field."""
    file = write(tmp_path / "a.toml", a='{ any = [{ cron = "61 * * * *" }] }', b='"0 9 * * *"', c='{ every = "0s" }')
    assert main(["simulate", file]) == 2
    err = capsys.readouterr().err
    assert f"{file}, task 'a', schedule.any.0.cron: " in err
    assert f"{file}, task 'c', schedule.every: " in err
    assert "task 'b'" not in err


def test_simulate_without_work_is_usage(capsys: Capture) -> None:
    """Neither files nor tasks: both ways are named."""
    assert main(["simulate"]) == 2
    assert "--task" in capsys.readouterr().err


def test_simulate_takes_tasks_of_the_server(
    fake_api: FakeApi, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Definitions come from the server, with the seed that it draws H from."""
    monkeypatch.setenv("SCHEDULER_SERVER", fake_api.address)
    document = task_document(schedule={"cron": "H 9 * * *", "timezone": "UTC"}, schedule_seed=5)
    fake_api.answer("GET", "/api/v1/tasks/extract", document)
    (slot,) = simulated(capsys, "--task", "extract", "--from", "2026-03-28", "--to", "2026-03-29")
    document["schedule_seed"] = 6
    (other,) = simulated(capsys, "--task", "extract", "--from", "2026-03-28", "--to", "2026-03-29")
    assert slot["task"] == "extract"
    assert slot["scheduled_at"] != other["scheduled_at"]


def test_simulate_reads_stdin_and_names_a_misspelt_option(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` is stdin, as the help says; any other word with a dash that is no option is told."""
    file = write(tmp_path / "a.toml", nightly='"30 2 * * *"')
    with Path(file).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert [slot["task"] for slot in simulated(capsys, "-", *SPRING)] == ["nightly"] * 3
    assert main(["simulate", file, "--slotz"]) == 2
    assert "There is no option --slotz." in capsys.readouterr().err


def test_simulate_aligns_slots_on_a_terminal(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a person reads, columns stand below each other; in a pipe tabs separate them."""
    file = write(tmp_path / "a.toml", a='"30 2 * * *"', longer='"30 3 * * *"')
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["simulate", file, *SPRING, "--slots"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].index("NAMESPACE") == lines[1].index("default") == lines[2].index("default")
    assert not any("\t" in line for line in lines)
