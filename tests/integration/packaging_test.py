"""What people install: five wheels and five sdists that hold what they must, and each works with nothing beside it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("api", "core", "dispatcher", "infra", "worker")
SCRIPTS = {"core": "scheduler", **{name: f"scheduler-{name}" for name in NAMES if name != "core"}}
# Files that a wheel has and no checkout, or the other way round.
_MADE_BY_THE_BUILD = re.compile(r"\.dist-info/|PKG-INFO$|\.gitignore$")
_NOT_SHIPPED = re.compile(r"(^|/)__pycache__/|\.pyc$|^changelog\.d/")


def _uv() -> str:
    local = ROOT / ".tools/uv/bin/uv"
    found = str(local) if local.exists() else shutil.which("uv")
    assert found, "uv is neither in .tools/ nor on PATH; run the tests by make"
    return found


def _run(*command: str, env: Mapping[str, str] | None = None) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    done = subprocess.run(
        command, env={**inherited, **(env or {})}, capture_output=True, text=True, timeout=300, check=False, cwd="/"
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everything that `make build` makes."""
    folder = tmp_path_factory.mktemp("dist")
    _run(_uv(), "build", "--quiet", "--directory", str(ROOT), "--all-packages", "--out-dir", str(folder))
    (folder / ".gitignore").unlink(missing_ok=True)
    return folder


@cache
def _project(name: str) -> dict[str, object]:
    with (ROOT / f"packages/scheduler-{name}/pyproject.toml").open("rb") as file:
        project: dict[str, object] = tomllib.load(file)["project"]
    return project


def _wheel(dist: Path, name: str) -> Path:
    return dist / f"scheduler_{name}-{_project(name)['version']}-py3-none-any.whl"


def _sdist(dist: Path, name: str) -> Path:
    return dist / f"scheduler_{name}-{_project(name)['version']}.tar.gz"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tree_content(folder: Path) -> dict[str, str]:
    """Name and digest of every file below, as seen through directory links."""
    found = {}
    for directory, _, files in os.walk(folder, followlinks=True):
        for file in files:
            path = Path(directory, file)
            name = path.relative_to(folder).as_posix()
            if not _NOT_SHIPPED.search(name):
                found[name] = _digest(path.read_bytes())
    return found


def _wheel_content(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: _digest(archive.read(name)) for name in archive.namelist() if not _MADE_BY_THE_BUILD.search(name)}


def _sdist_content(sdist: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            assert member.isfile(), f"{member.name} in {sdist.name} is no regular file"
            name = member.name.partition("/")[2]
            assert name not in found, f"{name} is in {sdist.name} twice"
            content = archive.extractfile(member)
            assert content is not None
            if not _MADE_BY_THE_BUILD.search(name):
                found[name] = _digest(content.read())
    return found


def test_packaging_integration_builds_exactly_ten_artifacts(dist: Path) -> None:
    """`make build` gives a wheel and an sdist of each distribution, and nothing of the workspace itself."""
    expected = {path(dist, name).name for name in NAMES for path in (_wheel, _sdist)}
    assert {path.name for path in dist.iterdir()} == expected
    assert len(expected) == 10


@pytest.mark.parametrize("name", NAMES)
def test_packaging_integration_wheel_sdist_and_tree_agree(dist: Path, name: str) -> None:
    """A wheel, an sdist and a checkout hold the same modules, byte for byte."""
    package = ROOT / f"packages/scheduler-{name}"
    tree = {file: digest for file, digest in _tree_content(package / "src").items() if ".egg-info/" not in file}
    assert _wheel_content(_wheel(dist, name)) == tree
    sdist = _sdist_content(_sdist(dist, name))
    assert {file.removeprefix("src/"): digest for file, digest in sdist.items() if file.startswith("src/")} == tree


@pytest.mark.parametrize("name", NAMES)
def test_packaging_integration_ships_licence_and_typing_marker(dist: Path, name: str) -> None:
    """Every artifact carries the licence text, the README and the marker that its types are meant to be used."""
    licence = _digest((ROOT / "LICENSE").read_bytes())
    sdist = _sdist_content(_sdist(dist, name))
    assert sdist["LICENSE"] == licence
    assert "README.md" in sdist
    with zipfile.ZipFile(_wheel(dist, name)) as archive:
        names = archive.namelist()
        assert f"scheduler_{name}/py.typed" in names
        (licence_name,) = [path for path in names if path.endswith(".dist-info/licenses/LICENSE")]
        assert _digest(archive.read(licence_name)) == licence


def test_packaging_integration_migrations_are_those_of_the_checkout(dist: Path) -> None:
    """The top-level migrations/ are in the infra wheel and sdist as regular files, all of them and nothing else."""
    migrations = _tree_content(ROOT / "migrations")
    assert any(name.startswith("versions/") for name in migrations)
    inside = "scheduler_infra/database/migrations/"
    for content in (_wheel_content(_wheel(dist, "infra")), _sdist_content(_sdist(dist, "infra"))):
        shipped = {name.removeprefix("src/"): digest for name, digest in content.items()}
        assert {name.removeprefix(inside): d for name, d in shipped.items() if name.startswith(inside)} == migrations


@pytest.mark.parametrize("name", NAMES)
def test_packaging_integration_members_ask_for_compatible_ranges(dist: Path, name: str) -> None:
    """A wheel asks its siblings for this minor version and no later one: below 1.0 the minor breaks."""
    with zipfile.ZipFile(_wheel(dist, name)) as archive:
        (metadata,) = [path for path in archive.namelist() if path.endswith(".dist-info/METADATA")]
        requirements = re.findall(
            r"^Requires-Dist: (scheduler-\w+)(.*)$", archive.read(metadata).decode(), re.MULTILINE
        )
    expected = {"core": [], "infra": ["scheduler-core"]}.get(name, ["scheduler-core", "scheduler-infra"])
    assert sorted(requirement for requirement, _ in requirements) == expected
    for sibling, asked in requirements:
        major, minor, *_ = str(_project(sibling.removeprefix("scheduler-"))["version"]).split(".")
        assert set(asked.replace(" ", "").split(",")) == {f">={major}.{minor}", f"<{major}.{int(minor) + 1}"}


@pytest.mark.parametrize("name", NAMES)
def test_packaging_integration_each_wheel_works_alone(dist: Path, tmp_path: Path, name: str) -> None:
    """One wheel in a clean environment, with only what it asks for, answers --version and --help."""
    environment = tmp_path / "venv"
    _run(_uv(), "venv", "--quiet", "--python", sys.executable, str(environment))
    python = str(environment / "bin/python")
    _run(_uv(), "pip", "install", "--quiet", "--python", python, "--find-links", str(dist), str(_wheel(dist, name)))
    _run(_uv(), "pip", "check", "--quiet", "--python", python)
    script = str(environment / "bin" / SCRIPTS[name])
    state = {"SCHEDULER_STATE_DIR": str(tmp_path / "state"), "NO_COLOR": "1"}
    assert f"scheduler-{name} {_project(name)['version']}" in _run(script, "--version", env=state)
    assert "Usage:" in _run(script, "--help", env=state)
    assert not (tmp_path / "state").exists()
    houses = ("api", "dispatcher", "worker")
    code = f"import importlib.util as u; print(*(n for n in {houses} if u.find_spec('scheduler_' + n)))"
    assert _run(python, "-c", code).split() == [house for house in houses if house == name]
