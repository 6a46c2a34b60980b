"""Task files in TOML and YAML."""

from pathlib import Path

import pytest

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.task_file import place_problems, read_task_files
from scheduler_core.errors import Problem


def write(tmp_path: Path, name: str, text: str) -> str:
    """Write a file and return its path."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_read_task_files_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    """Both formats give the same definitions, in order."""
    toml = write(
        tmp_path,
        "a.toml",
        '[[task]]\nname = "a"\nschedule = { at = 2027-01-01T00:00:00+03:00 }\n'
        '[task.parameters]\ncommand = ["x"]\nworking_dir = "rel/ative"\n',
    )
    yaml = write(
        tmp_path,
        "b.yaml",
        "tasks:\n  - name: b\n    schedule: {at: '2027-01-01T00:00:00+03:00'}\n"
        "    parameters: {command: [x], working_dir: rel/ative}\n",
    )
    first, second = read_task_files([toml, yaml])
    assert {**first.definition, "name": "b"} == second.definition
    assert first.definition["schedule"] == {"at": "2027-01-01T00:00:00+03:00"}
    assert first.definition["parameters"]["working_dir"] == "rel/ative"


def test_read_task_files_leaves_times_of_a_schedule_to_its_zone(tmp_path: Path) -> None:
    """A time without an offset, or a date, may stand in a schedule: it is meant in the schedule's time zone."""
    text = (
        '[[task]]\nname = "a"\n[task.schedule]\nevery = "1h"\nvalid_from = 2027-01-01\n'
        "pauses = [{ from = 2027-02-01T08:00:00, until = 2027-02-02T00:00:00Z }]\n"
    )
    (task,) = read_task_files([write(tmp_path, "a.toml", text)])
    assert task.definition["schedule"] == {
        "every": "1h",
        "valid_from": "2027-01-01T00:00:00",
        "pauses": [{"from": "2027-02-01T08:00:00", "until": "2027-02-02T00:00:00+00:00"}],
    }


@pytest.mark.parametrize("text", ["task: [{name: a}]", "- name: a", "task: {name: a}"])
def test_read_task_files_yaml_shapes(tmp_path: Path, text: str) -> None:
    """A list under task or tasks, a bare list, and a single task are all understood."""
    assert [task.definition for task in read_task_files([write(tmp_path, "t.yml", text)])] == [{"name": "a"}]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.toml", "[[task]\n", "is not TOML"),
        ("a.yaml", "tasks: [", "is not YAML"),
        ("a.yaml", "tasks:\n- name: a\n  name: b\n", "is there twice"),
        ("a.yaml", "tasks: [!!python/object/apply:os.system [id]]", "is not YAML"),
        ("a.toml", "", "holds no task"),
        ("a.toml", "tsk = []\n", "Did you mean task"),
        ("a.toml", "task = [1]\n", "task number 1"),
        ("a.json", "{}", "suffix"),
        ("a.toml", '[[task]]\nname = "a"\nparameters = { at = 2027-01-01T00:00:00 }\n', "task 'a', parameters.at"),
        ("a.toml", '[[task]]\nname = "a"\nparameters = { day = 2027-01-01 }\n', "parameters.day"),
        ("a.toml", '[[task]]\nname = "a"\npriority = nan\n', "priority"),
        ("a.yaml", "tasks: [{name: a, parameters: {1: x}}]", "must be text"),
    ],
)
def test_read_task_files_bad_file_is_told_with_its_place(tmp_path: Path, name: str, text: str, told: str) -> None:
    """Every fault names the file, and the task and field where there is one."""
    with pytest.raises(UsageError) as caught:
        read_task_files([write(tmp_path, name, text)])
    assert name in str(caught.value)
    assert told in str(caught.value)


def test_read_task_files_tells_the_faults_of_all_files_at_once(tmp_path: Path) -> None:
    """One attempt shows all that is wrong, unreadable files included."""
    bad = write(tmp_path, "bad.toml", "x")
    with pytest.raises(UsageError) as caught:
        read_task_files([bad, str(tmp_path / "missing.toml")])
    assert len(caught.value.problems) == 2


def test_read_task_files_names_twice_names_both_files(tmp_path: Path) -> None:
    """A name that two files use is refused before anything is sent."""
    files = [write(tmp_path, name, '[[task]]\nname = "same"\n') for name in ("one.toml", "two.toml")]
    with pytest.raises(UsageError, match=r"two\.toml, task 'same'.*one\.toml"):
        read_task_files(files)


@pytest.mark.parametrize("field", ["tasks[1].schedule.cron", "tasks.1.schedule.cron", "/tasks/1/schedule/cron"])
def test_place_problems_says_file_and_task(tmp_path: Path, field: str) -> None:
    """A position that the server names becomes the file and the task that a person knows."""
    tasks = read_task_files([write(tmp_path, "t.yaml", "[{name: a}, {name: b}]")])
    (placed,) = place_problems([Problem(field, "is wrong")], tasks)
    assert placed == Problem(f"{tmp_path / 't.yaml'}, task 'b', schedule.cron", "is wrong")


def test_place_problems_leaves_others_alone(tmp_path: Path) -> None:
    """A problem of the whole request keeps its field."""
    tasks = read_task_files([write(tmp_path, "t.yaml", "[{name: a}]")])
    assert place_problems([Problem("dry_run", "x"), Problem("tasks[9].name", "y")], tasks) == [
        Problem("dry_run", "x"),
        Problem("tasks[9].name", "y"),
    ]
