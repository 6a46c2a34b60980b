"""How layers are found and merged."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import pytest

from scheduler_core.config import ConfigSection, Settings, config_loader, setting
from scheduler_core.config.config_loader import find_config_dir, load_settings
from scheduler_core.config.section_registry import BrokenSection, InstalledSections
from scheduler_core.errors import ConfigError, UnknownConfigKeyError


class WorkerSection(ConfigSection):
    """A section for these tests."""

    section: ClassVar[str] = "worker"
    limit: Annotated[int, msgspec.Meta(ge=1)] = setting(10, "How many.")
    label: str = setting("", "What it is called.")
    pace: float = setting(1.5, "How fast.")
    enabled: bool = setting(True, "Whether it runs.")
    tags: list[str] = setting([], "Which kinds.")
    cert_file: str = setting("", "Where the certificate is.")

    def problems(self) -> list[str]:
        """The limit may not be 13."""
        return ["limit must not be 13. Choose 12."] if self.limit == 13 else []


class DatabaseSection(ConfigSection):
    """Another section for these tests."""

    section: ClassVar[str] = "database"
    url: str = setting("embedded", "Where it is.", secret=True)


INSTALLED = InstalledSections({"database": DatabaseSection, "worker": WorkerSection}, ())


class Place:
    """A configuration directory with an environment of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {"SCHEDULER_CONFIG_DIR": str(directory)}

    def write(self, name: str, text: str) -> Path:
        """Write a file of the directory."""
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, flags: dict[str, object] | None = None, /, **environ: str) -> Settings:
        """Load with these variables too."""
        return load_settings(flags, environ={**self.environ, **environ}, sections=INSTALLED)

    def worker(self, flags: dict[str, object] | None = None, /, **environ: str) -> WorkerSection:
        """Load the worker section."""
        return self.load(flags, **environ).section(WorkerSection)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty configuration directory."""
    return Place(tmp_path)


def test_load_settings_without_files_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration at all is a working configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config_loader, "_platform_dirs", list)
    settings = load_settings(environ={}, sections=INSTALLED)
    assert settings.config_dir is None
    assert settings.section(WorkerSection) == WorkerSection()
    assert settings.origin("worker.limit") == "default"


def test_load_settings_lets_each_layer_win_over_the_ones_before(place: Place) -> None:
    """The order is defaults, main file, environment file, secrets file, *_FILE, variable, flag."""
    assert place.worker().limit == 10
    main = place.write("scheduler.toml", "[worker]\nlimit = 1\n")
    assert place.worker().limit == 1
    production = place.write("production.toml", "[worker]\nlimit = 2\n")
    assert place.worker().limit == 1
    environ = {"SCHEDULER_ENV": "production"}
    assert place.worker(**environ).limit == 2
    secrets = place.write(".secrets.toml", "[worker]\nlimit = 3\n")
    assert place.worker(**environ).limit == 3
    environ["SCHEDULER_WORKER__LIMIT_FILE"] = str(place.write("limit", "4\n"))
    assert place.worker(**environ).limit == 4
    environ["SCHEDULER_WORKER__LIMIT"] = "5"
    assert place.worker(**environ).limit == 5
    assert place.worker({"worker.limit": "6"}, **environ).limit == 6
    assert place.load().origin("worker.limit") == str(secrets)
    secrets.unlink()
    assert place.load(SCHEDULER_ENV="production").origin("worker.limit") == str(production)
    assert place.load().origin("worker.limit") == str(main)


def test_load_settings_tells_the_origin_of_variables_and_flags(place: Place) -> None:
    """Whoever asks learns the variable, the file it names, or the flag."""
    path = place.write("secret", "x")
    settings = place.load({"worker.pace": "2"}, SCHEDULER_WORKER__LIMIT="5", SCHEDULER_WORKER__LABEL_FILE=str(path))
    assert settings.origin("worker.limit") == "environment variable SCHEDULER_WORKER__LIMIT"
    assert settings.origin("worker.label") == f"environment variable SCHEDULER_WORKER__LABEL_FILE, file {path}"
    assert settings.origin("worker.pace") == "flag --set worker.pace"


def test_load_settings_merges_tables_key_by_key_and_replaces_lists(place: Place) -> None:
    """A later file changes the keys it names and no others; a list is not appended to."""
    place.write("scheduler.toml", '[worker]\nlimit = 1\nlabel = "a"\ntags = ["x", "y"]\n')
    place.write(".secrets.toml", '[worker]\nlabel = "b"\ntags = ["z"]\n')
    worker = place.worker()
    assert (worker.limit, worker.label, worker.tags) == (1, "b", ["z"])


@pytest.mark.parametrize(
    "text",
    [
        "1e5",
        "true",
        "null",
        "@jinja {{ 1 + 1 }}",
        "@format {env[HOME]}",
        "@int 7",
        "@del",
        "[1, 2]",
        "{a = 1}",
        " a ",
        "",
    ],
)
def test_load_settings_keeps_text_as_it_is(place: Place, text: str) -> None:
    """A text setting gets exactly the text that was given, whichever way."""
    place.write("scheduler.toml", '[worker]\nlabel = "below"\n')
    assert place.worker(SCHEDULER_WORKER__LABEL=text).label == text
    assert place.worker({"worker.label": text}).label == text
    file = place.write("label", text + "\n")
    assert place.worker(SCHEDULER_WORKER__LABEL_FILE=str(file)).label == text
    place.write(".secrets.toml", f"[worker]\nlabel = {msgspec.json.encode(text).decode()}\n")
    assert place.worker().label == text


def test_load_settings_reads_text_as_the_type_of_the_key(place: Place) -> None:
    """Variables become numbers, booleans and lists where the section wants them."""
    worker = place.worker(
        SCHEDULER_WORKER__LIMIT=" 7 ",
        SCHEDULER_WORKER__PACE="1e2",
        SCHEDULER_WORKER__ENABLED="false",
        SCHEDULER_WORKER__TAGS="a, 1",
    )
    assert (worker.limit, worker.pace, worker.enabled, worker.tags) == (7, 100.0, False, ["a", "1"])
    assert place.worker(SCHEDULER_WORKER__TAGS='["a,b", "c"]').tags == ["a,b", "c"]


def test_load_settings_takes_a_key_that_ends_in_file_for_itself(place: Place) -> None:
    """SCHEDULER_WORKER__CERT_FILE is the path in worker.cert_file, and its _FILE the file that holds the path."""
    assert place.worker(SCHEDULER_WORKER__CERT_FILE="/nowhere.pem").cert_file == "/nowhere.pem"
    holder = place.write("holder", "/other.pem")
    assert place.worker(SCHEDULER_WORKER__CERT_FILE_FILE=str(holder)).cert_file == "/other.pem"


def test_load_settings_refuses_a_value_file_that_is_missing(place: Place) -> None:
    """A secret that is not mounted is named with its variable, not read as empty."""
    with pytest.raises(ConfigError, match=r"/no/such named by SCHEDULER_DATABASE__URL_FILE cannot be read"):
        place.load(SCHEDULER_DATABASE__URL_FILE="/no/such")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[worker]\nlimits = 1\n", ["worker.limits", "scheduler.toml", "Did you mean worker.limit?"]),
        ("[wroker]\nlimit = 1\n", ["wroker", "scheduler.toml", "Did you mean worker?"]),
        ("[worker]\ndynaconf_merge = true\n", ["worker.dynaconf_merge"]),
        ("dynaconf_include = 'x'\n", ["dynaconf_include"]),
        ("limit = 1\n", ["limit", "scheduler.toml"]),
        ("worker = 1\n", ["worker", "section"]),
        ("[worker\n", ["scheduler.toml", "not valid TOML", "line 1"]),
        (
            '[worker]\nlimit = "7"\n',
            ["worker.limit", "'7'", "scheduler.toml", "a whole number, at least 1", "default 10"],
        ),
        ("[worker]\nlimit = 0\n", ["worker.limit", "0", "at least 1"]),
        ("[worker]\nlabel = 12345\n", ["worker.label", "12345", "text"]),
        ("[worker]\nlimit = 13\n", ["worker.limit", "scheduler.toml", "must not be 13"]),
    ],
)
def test_load_settings_refuses_what_it_cannot_use(place: Place, content: str, words: list[str]) -> None:
    """The message names the key, the value, the file and the remedy."""
    place.write("scheduler.toml", content)
    with pytest.raises(ConfigError) as refused:
        place.load()
    for word in words:
        assert word in str(refused.value)


def test_load_settings_refuses_unknown_variables_and_flags(place: Place) -> None:
    """A typing mistake in a variable or a flag is told like one in a file."""
    with pytest.raises(UnknownConfigKeyError, match=r"SCHEDULER_WORKER__LIMITT.*Did you mean worker.limit\?"):
        place.load(SCHEDULER_WORKER__LIMITT="1")
    with pytest.raises(UnknownConfigKeyError, match=r"workr.limit.*Did you mean worker.limit\?"):
        place.load({"workr.limit": "1"})
    with pytest.raises(UnknownConfigKeyError, match=r"workr.limitt.*Did you mean worker.limit\?"):
        place.load({"workr.limitt": "1"})
    with pytest.raises(UnknownConfigKeyError, match=r"workr.x.*Did you mean worker\?"):
        place.load({"workr.x": "1"})


def test_load_settings_refuses_a_single_underscore(place: Place) -> None:
    """SCHEDULER_DATABASE_URL, which would silently do nothing, is answered with the right name."""
    with pytest.raises(UnknownConfigKeyError, match=r"Did you mean SCHEDULER_DATABASE__URL\?"):
        place.load(SCHEDULER_DATABASE_URL="postgresql://x")
    place.load(SCHEDULER_API_KEY="k", SCHEDULER_URL="http://localhost")


def test_load_settings_tells_all_problems_at_once(place: Place) -> None:
    """One start is enough to learn everything that has to be corrected."""
    place.write("scheduler.toml", "[worker]\nlimit = 0\npase = 1\n[nobody]\nx = 1\n")
    with pytest.raises(ConfigError) as refused:
        place.load(SCHEDULER_WORKER__PACE="fast")
    for word in ("worker.limit", "worker.pase", "nobody", "worker.pace", "'fast'", "SCHEDULER_WORKER__PACE"):
        assert word in str(refused.value)


def test_load_settings_accepts_known_sections_of_absent_packages(place: Place) -> None:
    """One set of files serves hosts that have only some of the packages, and those whose package is broken."""
    place.write("scheduler.toml", "[api]\nwhatever = 1\n[acme]\nx = 1\n")
    broken = InstalledSections({"worker": WorkerSection}, (BrokenSection("acme", "acme", "ImportError"),))
    settings = load_settings(environ={**place.environ, "SCHEDULER_API__Y": "2"}, sections=broken)
    assert settings.raw_section("api").keys() == {"whatever", "y"}
    with pytest.raises(UnknownConfigKeyError, match="acme"):
        place.load()


def test_load_settings_masks_secrets_in_errors(place: Place) -> None:
    """A wrong value of a secret key is not repeated."""
    place.write("scheduler.toml", "[database]\nurl = 424242\n")
    with pytest.raises(ConfigError) as refused:
        place.load()
    assert "424242" not in str(refused.value)
    assert "database.url" in str(refused.value)


def test_load_settings_refuses_an_environment_without_file(place: Place) -> None:
    """A mistyped SCHEDULER_ENV is not the same as none."""
    place.write("scheduler.toml", "")
    place.write("production.toml", "")
    with pytest.raises(ConfigError, match=r"'prodution'.*there are: production"):
        place.load(SCHEDULER_ENV="prodution")
    with pytest.raises(ConfigError, match="SCHEDULER_ENV cannot be"):
        place.load(SCHEDULER_ENV="../../etc/x")


def test_load_settings_ignores_what_dynaconf_would_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables and files that dynaconf looks for by itself change nothing."""
    foreign = place.write("foreign.toml", "[worker]\nlimit = 99\n")
    (place.directory / ".env").write_text("DYNACONF_WORKER__LIMIT=98\nSCHEDULER_WORKER__LIMIT=97\n")
    monkeypatch.chdir(place.directory)
    for variable in ("SETTINGS_FILE_FOR_DYNACONF", "INCLUDES_FOR_DYNACONF", "PRELOAD_FOR_DYNACONF"):
        monkeypatch.setenv(variable, str(foreign))
    monkeypatch.setenv("LOAD_DOTENV_FOR_DYNACONF", "true")
    monkeypatch.setenv("ENVIRONMENTS_FOR_DYNACONF", "true")
    monkeypatch.setenv("DYNACONF_WORKER__LIMIT", "96")
    place.write("scheduler.toml", '[worker]\nlabel = "a"\n')
    worker = place.worker(SCHEDULER_WORKER__PACE="2")
    assert worker == WorkerSection(label="a", pace=2.0)


def test_find_config_dir_prefers_the_variable_then_config_then_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first place that exists wins, and a folder `config` of another project does not count."""
    monkeypatch.chdir(tmp_path)
    platform, local, named = tmp_path / "platform", tmp_path / "config", tmp_path / "named"
    monkeypatch.setattr(config_loader, "_platform_dirs", lambda: [tmp_path / "absent", platform])
    assert find_config_dir({}) is None
    platform.mkdir()
    local.mkdir()
    (local / "webpack.toml").touch()
    assert find_config_dir({}) == platform
    (local / "scheduler.toml").touch()
    assert find_config_dir({}) == Path("config")
    with pytest.raises(ConfigError, match="SCHEDULER_CONFIG_DIR names"):
        find_config_dir({"SCHEDULER_CONFIG_DIR": str(named)})
    named.mkdir()
    assert find_config_dir({"SCHEDULER_CONFIG_DIR": str(named)}) == named


def test_load_settings_with_one_layer_does_not_import_dynaconf(tmp_path: Path) -> None:
    """A process with nothing to merge does not pay for the merging."""
    (tmp_path / "scheduler.toml").write_text("[worker]\n")
    code = (
        "import sys; from pathlib import Path; from scheduler_core.config.config_loader import load_settings;"
        "from scheduler_core.config.section_registry import InstalledSections;"
        f"load_settings(config_dir=Path({str(tmp_path)!r}), environ={{}}, sections=InstalledSections({{}}, ()));"
        "sys.exit('dynaconf' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
