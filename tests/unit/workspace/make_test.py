"""The Makefile and the scripts behind it: what a person meets first, on machines that lack things."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.suffix == ".sh" or path.name == "run")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def _run(
    *command: str | Path, path: Path | None = None, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    search = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, "PATH": search, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _stub(folder: Path, name: str, program: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/bash\n{program}\n")
    path.chmod(0o755)
    return path


def test_make_prints_every_documented_target() -> None:
    """`make` alone starts nothing and tells what there is; CONTRIBUTING names no target that does not exist."""
    done = _run("make")
    assert done.returncode == 0
    told = set(re.findall(r"^  make (\S+) ", done.stdout, re.MULTILINE))
    assert {"run", "test", "lint", "fmt", "build", "clean", "bench", "docs", "openapi"} <= told
    named = set(re.findall(r"`make ([a-z0-9-]+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert named <= told


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_sound(script: Path) -> None:
    """Every script parses, can be executed, and stops at the first error."""
    assert _run("bash", "-n", script).stderr == ""
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")


def test_find_uv_passes_over_one_that_is_too_old(tmp_path: Path) -> None:
    """An old uv on the machine is left alone, and the project's own is fetched."""
    old = _stub(tmp_path / "bin", "uv", "echo uv 0.1.44")
    script = ROOT / ".ci/find_uv.sh"
    assert _run("bash", script, path=old.parent, cwd=tmp_path).stdout == ".tools/uv/bin/uv\n"
    new = _stub(tmp_path / "bin", "uv", "echo 'uv 0.99.0 (some build)'")
    assert _run("bash", script, path=new.parent, cwd=tmp_path).stdout == f"{new}\n"


@pytest.mark.parametrize("has_venv", [True, False])
def test_fetch_uv_does_with_and_without_venv(tmp_path: Path, has_venv: bool) -> None:
    """A Python with venv makes an environment; one without installs into the folder, and nowhere else."""
    made = r'mkdir -p "$1/bin"; printf "#!/bin/sh\necho uv 1\n" > "$1/bin/uv"; chmod +x "$1/bin/uv"'
    inner = r'printf "#!/bin/sh\nexit 0\n" > "$1/bin/python"; chmod +x "$1/bin/python"'
    _stub(tmp_path / "bin", "make-target", f"{made}; {inner}")
    python = _stub(
        tmp_path / "bin",
        "python-stub",
        f"""echo "$*" >> {tmp_path}/calls
        case "$1 $2" in
            "-c "*) exit 0 ;;
            "-m venv") {"make-target $3" if has_venv else "exit 1"} ;;
            "-m pip") [ "$3" = --version ] || make-target "$6" ;;
            *) exit 1 ;;
        esac""",
    )
    done = _run("bash", ROOT / ".ci/fetch_uv.sh", python, tmp_path / "uv", path=tmp_path / "bin")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "uv/bin/uv").exists()
    installs = [call for call in (tmp_path / "calls").read_text().splitlines() if "pip install" in call]
    assert [f"--target {tmp_path / 'uv'} " in call for call in installs] == ([] if has_venv else [True])


def test_fetch_uv_tells_what_is_missing(tmp_path: Path) -> None:
    """Where there is neither venv nor pip nor apt, one sentence names the remedies, and nothing half done stays."""
    _stub(tmp_path / "bin", "apt-get", "exit 100")
    python = _stub(tmp_path / "bin", "python-stub", '[ "$1" = -c ]')
    done = _run("bash", ROOT / ".ci/fetch_uv.sh", python, tmp_path / "uv", path=tmp_path / "bin")
    assert done.returncode == 1
    assert "python3-venv" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "uv").exists()


def test_newest_python_prints_only_a_newer_one(tmp_path: Path) -> None:
    """The unit tests run again only on a Python that is another minor version, and never on a broken shim."""
    _stub(tmp_path / "bin", "python3.19", "exit 127")
    _stub(tmp_path / "bin", "python3.18", "echo 3.18")
    script = ROOT / ".ci/newest_python.sh"

    def newest_beside(other: str | Path) -> str:
        nowhere = str(tmp_path)
        return _run(
            "bash", script, other, path=tmp_path / "bin", PYENV_ROOT=nowhere, UV_PYTHON_INSTALL_DIR=nowhere
        ).stdout

    assert newest_beside(sys.executable) == f"{tmp_path / 'bin/python3.18'}\n"
    assert newest_beside(_stub(tmp_path / "bin", "other", "echo 3.18")) == "\n"


def test_ci_run_names_and_ends_what_is_left_behind(tmp_path: Path) -> None:
    """A process that outlives the tests, wherever it has moved to, is ended and makes the run fail."""
    copy = tmp_path / "checkout/.ci"
    copy.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", copy)
    _stub(tmp_path / "bin", "make", f'[ "$1" = lint ] || {{ setsid sleep 300 & echo $! >> {tmp_path}/pid; }}')
    done = _run(copy / "run", path=tmp_path / "bin")
    assert done.returncode == 1, done.stderr
    assert "sleep 300" in done.stderr
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/exe").exists()


def test_ci_run_requires_rabbitmq_and_passes_on_the_exit_code(tmp_path: Path) -> None:
    """CI runs lint before the tests, requires RabbitMQ, and fails with what failed."""
    copy = tmp_path / "checkout/.ci"
    copy.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", copy)
    _stub(tmp_path / "bin", "make", f'echo "$1 $REQUIRE_RABBITMQ" >> {tmp_path}/calls; [ "$1" = lint ] || exit 7')
    assert _run(copy / "run", path=tmp_path / "bin").returncode == 7
    assert (tmp_path / "calls").read_text() == "lint 1\ntest 1\n"
