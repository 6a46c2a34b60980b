"""The quickstart's Python steps, on the tables that tzdata really ships and on broken copies of them."""

import csv
import importlib.util
import json
import subprocess
import threading
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

from scheduler_api.client.task_file import read_task_files

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart"


def load_pipeline() -> ModuleType:
    """Import the example's module from its folder, which is on no path here."""
    spec = importlib.util.spec_from_file_location("quickstart_pipeline", QUICKSTART / "quickstart_pipeline.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pipeline = load_pipeline()
SHIPPED = Path(str(files("tzdata"))) / "zoneinfo"


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A directory with copies of the tables that may be broken; compiled zones are links to the shipped ones."""
    directory = tmp_path / "tables"
    directory.mkdir()
    for name in ("iso3166.tab", "zone.tab", "zone1970.tab"):
        (directory / name).write_text((SHIPPED / name).read_text())
    for entry in SHIPPED.iterdir():
        if not (directory / entry.name).exists():
            (directory / entry.name).symlink_to(entry)
    return directory


def test_extract_writes_every_zone_of_the_shipped_tables(tmp_path: Path) -> None:
    """The real tables pass every check, and all their lines are in the result."""
    result = pipeline.extract(str(tmp_path / "out"))
    document = json.loads((tmp_path / "out" / "zones.json").read_text())
    lines = [line for line in (SHIPPED / "zone1970.tab").read_text().splitlines() if line[:1] not in ("", "#")]
    assert [zone["name"] for zone in document["zones"]] == [line.split("\t")[2] for line in lines]
    assert result == {"tzdata": document["tzdata"], "zones": len(lines), "countries": len(document["countries"])}
    istanbul = next(zone for zone in document["zones"] if zone["name"] == "Europe/Istanbul")
    assert (istanbul["countries"], istanbul["latitude"], istanbul["longitude"]) == (["TR"], 41.0167, 28.9667)


def test_countries_counts_what_extract_wrote(tmp_path: Path) -> None:
    """Each country is there once with its zones, countries without a zone included, most zones first."""
    pipeline.extract(str(tmp_path))
    result = pipeline.countries(str(tmp_path))
    with (tmp_path / "countries.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts = [int(row["zones"]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert len({row["code"] for row in rows}) == len(rows) == result["countries"]
    assert all(len(row["zone_names"].split()) == int(row["zones"]) for row in rows)
    zones = json.loads((tmp_path / "zones.json").read_text())["zones"]
    assert sum(counts) == sum(len(zone["countries"]) for zone in zones)
    assert {row["code"] for row in rows if row["zones"] == "0"} == set(result["without_zone"])


def test_steps_write_the_same_bytes_again(tmp_path: Path) -> None:
    """The same tables give the same files, so overlapping minutes cannot disagree; nothing else is left behind."""
    contents = []
    for _ in range(2):
        pipeline.extract(str(tmp_path))
        pipeline.countries(str(tmp_path))
        contents.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert contents[0] == contents[1]
    assert sorted(contents[0]) == ["countries.csv", "zones.json"]


@pytest.mark.parametrize(
    ("table", "old", "new", "told"),
    [
        ("zone1970.tab", "AD\t+4230+00131", "AD\t+9930+00131", "off the globe"),
        ("zone1970.tab", "AD\t+4230+00131", "AD\t+4260+00131", "59 minutes"),
        ("zone1970.tab", "AD\t+4230+00131", "AD\t4230", "ISO 6709"),
        ("zone1970.tab", "AD\t+4230+00131", "QQ\t+4230+00131", "does not know the country 'QQ'"),
        ("zone1970.tab", "AD\t+4230+00131", "AD,AD\t+4230+00131", "twice"),
        ("zone1970.tab", "AD\t+4230", "AD +4230", "columns"),
        ("zone1970.tab", "Europe/Andorra", "Europe/Dublin", "twice"),
        ("zone1970.tab", "Europe/Andorra", "Europe/Atlantis", "zone.tab lacks"),
        ("zone1970.tab", "AD\t+4230+00131", "FR\t+4230+00131", "zone.tab puts Europe/Andorra into AD"),
        ("zone.tab", "AD\t+4230+00131", "AD\t+4230+18131", "off the globe"),
        ("zone.tab", "AD\t+4230+00131", "QQ\t+4230+00131", "QQ"),
        ("iso3166.tab", "AD\tAndorra", "Ad\tAndorra", "two capitals"),
        ("iso3166.tab", "AD\tAndorra", "AE\tAndorra", "twice"),
        ("iso3166.tab", "AD\tAndorra", "AD\t ", "no name"),
        ("iso3166.tab", "AD\tAndorra", "", "AD"),
    ],
)
def test_extract_broken_table_fails_and_writes_nothing(
    tables: Path, tmp_path: Path, table: str, old: str, new: str, told: str
) -> None:
    """One broken line fails the step with its reason, and the result of the run before stays."""
    text = (tables / table).read_text()
    assert old in text
    (tables / table).write_text(text.replace(old, new, 1))
    out = tmp_path / "out"
    out.mkdir()
    (out / "zones.json").write_text("from before")
    with pytest.raises(pipeline.BrokenTableError, match=told):
        pipeline.extract(str(out), str(tables))
    assert [path.name for path in out.iterdir()] == ["zones.json"]
    assert (out / "zones.json").read_text() == "from before"


@pytest.mark.parametrize("table", ["iso3166.tab", "zone.tab", "zone1970.tab"])
def test_extract_table_that_was_cut_off_fails(tables: Path, tmp_path: Path, table: str) -> None:
    """Half a table is not mistaken for a whole one."""
    lines = (tables / table).read_text().splitlines(keepends=True)
    (tables / table).write_text("".join(lines[: len(lines) // 2]))
    with pytest.raises(pipeline.BrokenTableError):
        pipeline.extract(str(tmp_path / "out"), str(tables))


def test_extract_zone_without_its_file_fails(tables: Path, tmp_path: Path) -> None:
    """A zone that the tables name and nobody can load is found."""
    (tables / "Europe").unlink()
    with pytest.raises(pipeline.BrokenTableError, match="Europe/"):
        pipeline.extract(str(tmp_path / "out"), str(tables))


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"countries": {"AD": "Andorra"}, "zones": [{}]}'])
def test_countries_without_a_whole_zones_file_fails(tmp_path: Path, content: str | None) -> None:
    """Without extract's file, or with a damaged one, no CSV is written."""
    if content is not None:
        (tmp_path / "zones.json").write_text(content)
    with pytest.raises(pipeline.BrokenTableError, match=r"zones\.json"):
        pipeline.countries(str(tmp_path))
    assert not (tmp_path / "countries.csv").exists()


def test_write_whole_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """While one thread replaces a file again and again, every read finds one of the whole contents."""
    target = tmp_path / "file"
    whole = ["a" * 200_000, "b" * 300_000]
    pipeline.write_whole(target, whole[0])
    stop = threading.Event()

    def replace() -> None:
        while not stop.is_set():
            for text in whole:
                pipeline.write_whole(target, text)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        seen = {target.read_text() for _ in range(200)}
    finally:
        stop.set()
        writer.join()
    assert seen <= set(whole)


def test_output_directory_argument_before_variable_before_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The directory can be given with the task, by the environment, or not at all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCHEDULER_QUICKSTART_DIR", raising=False)
    assert pipeline.output_directory(None) == Path(".state/quickstart")
    monkeypatch.setenv("SCHEDULER_QUICKSTART_DIR", "elsewhere")
    assert pipeline.output_directory(None) == Path("elsewhere")
    assert pipeline.output_directory("given") == Path("given")
    assert all((tmp_path / name).is_dir() for name in (".state/quickstart", "elsewhere", "given"))


def test_tasks_file_names_steps_that_exist() -> None:
    """Every callable of the task file is a function of the module, and the tasks follow each other."""
    tasks = {task.definition["name"]: task.definition for task in read_task_files([str(QUICKSTART / "tasks.toml")])}
    assert {name: task.get("dependencies", []) for name, task in tasks.items()} == {
        "extract": [],
        "countries": ["extract"],
        "report": ["countries"],
    }
    for name in ("extract", "countries"):
        module, _, function = tasks[name]["parameters"]["callable"].partition(":")
        assert module == "quickstart_pipeline"
        assert callable(getattr(pipeline, function))
        directory = tasks[name]["parameters"]["kwargs"]["directory"]
        assert directory == tasks["report"]["parameters"]["env"]["QUICKSTART_DIR"]


def test_report_step_writes_a_checksum_that_holds(tmp_path: Path) -> None:
    """The shell step of the task file, run as the worker runs it, writes a checksum that sha256sum accepts."""
    out = tmp_path / ".state" / "quickstart"
    pipeline.extract(str(out))
    pipeline.countries(str(out))
    report = read_task_files([str(QUICKSTART / "tasks.toml")])[2].definition["parameters"]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **report["env"]}
    ran = subprocess.run(
        ["sh", "-c", report["command"]], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == (out / "summary.txt").read_text()
    assert "  US  United States" in ran.stdout
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, check=True, capture_output=True)
    assert sorted(path.name for path in out.iterdir()) == ["SHA256SUMS", "countries.csv", "summary.txt", "zones.json"]


def test_report_step_fails_without_the_table(tmp_path: Path) -> None:
    """Without countries.csv the shell step fails, writes nothing and leaves nothing behind."""
    report = read_task_files([str(QUICKSTART / "tasks.toml")])[2].definition["parameters"]
    (tmp_path / ".state" / "quickstart").mkdir(parents=True)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **report["env"]}
    ran = subprocess.run(["sh", "-c", report["command"]], cwd=tmp_path, env=environment, capture_output=True)
    assert ran.returncode != 0
    assert list((tmp_path / ".state" / "quickstart").iterdir()) == []
