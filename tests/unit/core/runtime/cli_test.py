"""The command `scheduler` as a process."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ENTRY_POINTS = """\
[scheduler.components]
acme_first = acme.components:First
acme_second = acme.components:Second
acme_failing = acme.components:Failing
acme_broken = acme.nothing:Broken

[scheduler.commands]
acme = acme.commands:COMMANDS
acme_gone = acme.gone:COMMANDS

[scheduler.checks]
acme = acme.checks:check
acme_raising = acme.checks:raising

[scheduler.config_sections]
acme = acme.config:AcmeConfig
"""

COMPONENTS = """\
from scheduler_core.errors import StoreUnavailableError
from acme.config import AcmeConfig

class Base:
    order = 1000
    def __init__(self, context):
        self.context = context
    @classmethod
    def is_enabled(cls, settings):
        return False
    async def run(self, ready, stopping):
        print("start", self.name, self.context.settings.section(AcmeConfig).limit, flush=True)
        ready("listening nowhere")
        await stopping.wait()
        print("stop", self.name, flush=True)

class First(Base):
    name = "acme_first"

class Second(Base):
    name = "acme_second"
    order = 1001

class Failing(Base):
    name = "acme_failing"
    order = 1002
    async def run(self, ready, stopping):
        raise StoreUnavailableError("The database does not answer. Start it.")
"""

CONFIG = """\
from typing import Annotated, ClassVar
import msgspec
from scheduler_core.config import ConfigSection, setting

class AcmeConfig(ConfigSection):
    "A third party's section."
    section: ClassVar[str] = "acme"
    limit: Annotated[int, msgspec.Meta(ge=1)] = setting(10, "How many.")
    token: str = setting("", "Who.", secret=True)
"""

COMMANDS = """\
from scheduler_core.runtime.command_group import CommandGroup
COMMANDS = (CommandGroup("acme", "acme.app:app", "Do what Acme does."),)
"""

APP = """\
from cyclopts import App
from scheduler_core.errors import NotFoundError, StoreUnavailableError
app = App(name="acme")

@app.command
def find():
    raise NotFoundError("There is no such thing.")

@app.command
def reach():
    raise StoreUnavailableError("Nobody answers.")

@app.command
def seven() -> int:
    return 7
"""

CHECKS = """\
from scheduler_core.runtime.check import CheckResult

async def check(settings):
    yield CheckResult("acme", True, "all is well")

def raising(settings):
    raise ValueError("the check is at fault")
"""


class Shell:
    """Runs `scheduler` where a third-party distribution is installed, away from all configuration."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("SCHEDULER_")}
        # Byte code is kept, which makes all starts but the first quick.
        self.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environ |= {
            "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
            "PYTHONPATH": str(place / "site"),
            "SCHEDULER_STATE_DIR": str(place / "state"),
            "SCHEDULER_CONFIG_DIR": str(place / "config"),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    @staticmethod
    def command(*arguments: str) -> list[str]:
        """The command line."""
        code = "import sys; from scheduler_core.runtime.cli import main; sys.exit(main())"
        return [sys.executable, "-c", code, *arguments]

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environ | environ,
            cwd=self._place,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start and do not wait."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environ,
            cwd=self._place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A place with the distribution acme installed."""
    place = tmp_path_factory.mktemp("cli")
    package, info = place / "site" / "acme", place / "site" / "acme-1.5.dist-info"
    for directory in (package, info, place / "config"):
        directory.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    files = {"components": COMPONENTS, "config": CONFIG, "commands": COMMANDS, "app": APP, "checks": CHECKS}
    for name, text in {**files, "__init__": ""}.items():
        (package / f"{name}.py").write_text(text)
    return Shell(place)


@pytest.fixture
def running(shell: Shell) -> Iterator["subprocess.Popen[str]"]:
    """`scheduler up` with two components that are ready."""
    process = shell.start("up", "--only", "acme_second,acme_first", "--set", "acme.limit=7")
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "start acme_first 7\n"
        assert process.stdout.readline() == "start acme_second 7\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_runs_until_a_signal(running: "subprocess.Popen[str]", number: int) -> None:
    """It says what it started, where data is and what to type next, then stops in reverse order with code 0."""
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    assert out == "stop acme_second\nstop acme_first\n"
    assert running.returncode == 0
    assert re.search(r"acme_first +listening nowhere\n  acme_second +listening nowhere\n", err)
    for words in ("Scheduler is ready.", "/state", "scheduler doctor"):
        assert words in err


def test_up_explains_a_failing_component(shell: Shell) -> None:
    """A component that cannot start stops the others and gives code 1 and one paragraph."""
    done = shell.run("up", "--only", "acme_first,acme_failing")
    assert done.returncode == 1
    assert "error: The component 'acme_failing' failed: The database does not answer. Start it.\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "start acme_first 10\nstop acme_first\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["up", "--only", "acme_frist"], 2, "No component named 'acme_frist' is installed"),
        (["up", "--only", "acme_broken"], 1, "acme 1.5"),
        (["up", "--only", "acme_first", "--set", "acme.limitt=1"], 2, "Did you mean acme.limit?"),
        (["up", "--only", "acme_first", "--set", "acme.limit=0"], 2, "acme.limit cannot be '0'"),
        (["up", "--only", "acme_first", "--set", "limit"], 2, "section.key=value"),
        (["up", "--only", "acme_first", "--config-dir", "/no/such"], 2, "/no/such"),
        (["up", "--withou", "acme_first"], 2, "error: Unknown option: --withou. Did you mean --without?\n"),
        (["componets"], 2, 'Did you mean "components"?'),
        (["acme", "find"], 3, "error: There is no such thing.\n"),
        (["acme", "reach"], 6, "error: Nobody answers.\n"),
        (["acme", "seven"], 7, ""),
    ],
)
def test_exit_codes_tell_what_went_wrong(shell: Shell, arguments: list[str], code: int, words: str) -> None:
    """Every refusal is explained on stderr without a traceback and has its documented code."""
    done = shell.run(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_unwritable_state_directory_is_refused(shell: Shell, tmp_path: Path) -> None:
    """A state directory that cannot be made stops the start, with the remedy."""
    (tmp_path / "file").touch()
    done = shell.run("up", "--only", "acme_first", SCHEDULER_STATE_DIR=str(tmp_path / "file" / "state"))
    assert done.returncode == 2
    assert "Set SCHEDULER_STATE_DIR" in done.stderr
    assert done.stdout == ""


def test_help_lists_every_group_and_names_broken_plug_ins(shell: Shell) -> None:
    """Third-party commands stand beside our own; a broken announcement is told with its distribution."""
    done = shell.run("--help")
    assert done.returncode == 0
    for words in ("up", "components", "config", "doctor", "install-completion", "Do what Acme does."):
        assert words in done.stdout
    assert "'acme_gone' (scheduler.commands) of acme 1.5 cannot be loaded" in done.stderr


def test_completion_that_cannot_be_installed_is_told(shell: Shell, tmp_path: Path) -> None:
    """A home directory that cannot be written to gives a sentence with the place and the way out."""
    (tmp_path / "file").touch()
    done = shell.run("install-completion", "--shell", "bash", HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert f"The completion cannot be installed as '{tmp_path}/file/home" in done.stderr
    assert "Not a directory" in done.stderr
    assert "--output" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_no_server_code_and_no_dynaconf(shell: Shell) -> None:
    """`scheduler --help` is a matter of a blink: nothing of what commands need is imported."""
    code = (
        "import sys; from scheduler_core.runtime.cli import main; main(['--help']);"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=shell.environ, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1].replace("'", '"')))
    heavy = {"dynaconf", "msgspec", "structlog", "opentelemetry", "litestar", "uvicorn", "httpx2", "kombu"}
    heavy |= {"psycopg", "sqlmodel", "sqlalchemy", "alembic", "markdown_it", "pygments", "yaml"}
    assert not loaded & heavy


def test_version_lists_the_distributions(shell: Shell) -> None:
    """One line for each Scheduler distribution."""
    assert re.search(r"^scheduler-core \d+\.\d+\.\d+$", shell.run("--version").stdout, re.MULTILINE)


def test_components_lists_what_is_installed_and_what_is_broken(shell: Shell) -> None:
    """A broken component is a row with its reason, and exit code 1."""
    done = shell.run("components", "-o", "json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert rows["acme_first"] == {
        "name": "acme_first",
        "distribution": "acme",
        "version": "1.5",
        "order": 1000,
        "enabled": False,
        "problem": None,
    }
    assert "acme 1.5" in rows["acme_broken"]["problem"]


def test_config_show_gives_values_and_origins_with_secrets_masked(shell: Shell) -> None:
    """The answer says where each value comes from and never a secret."""
    environ = {"SCHEDULER_ACME__LIMIT": "3", "SCHEDULER_ACME__TOKEN": "hunter2"}
    done = shell.run("config", "show", "--origin", "-o", "json", **environ)
    assert done.returncode == 0
    assert "hunter2" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["acme"] == {
        "limit": {"value": 3, "origin": "environment variable SCHEDULER_ACME__LIMIT"},
        "token": {"value": "********", "origin": "environment variable SCHEDULER_ACME__TOKEN"},
    }
    table = shell.run("config", "show", "--origin", **environ).stdout
    assert "acme.limit\t3\tenvironment variable SCHEDULER_ACME__LIMIT\n" in table
    assert "hunter2" not in table


def test_config_check_tells_everything_that_is_wrong(shell: Shell) -> None:
    """Code 2 and every problem, or a line that all is fine."""
    done = shell.run("config", "check", SCHEDULER_ACME__LIMIT="x", SCHEDULER_NOBODY__X="1")
    assert done.returncode == 2
    assert "acme.limit" in done.stderr
    assert "nobody.x" in done.stderr
    assert "The configuration is fine" in shell.run("config", "check").stderr


def test_doctor_reports_core_and_contributed_checks(shell: Shell) -> None:
    """One row for everything looked at; a check that raises is a finding, not a crash."""
    done = shell.run("doctor", "-o", "json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert rows["python"]["ok"]
    assert rows["time zones"]["ok"]
    assert rows["acme"] == {"name": "acme", "ok": True, "detail": "all is well", "remedy": ""}
    assert not rows["acme_raising"]["ok"]
    assert "the check is at fault" in rows["acme_raising"]["detail"]
    assert not rows["component acme_broken"]["ok"]


def test_doctor_survives_a_broken_configuration(shell: Shell) -> None:
    """The doctor is for when things are wrong."""
    done = shell.run("doctor", "-o", "json", SCHEDULER_ACME__LIMIT="x")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert not rows["configuration"]["ok"]
    assert "acme.limit" in rows["configuration"]["detail"]
