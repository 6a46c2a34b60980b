"""Environments of measured systems, made where they are missing: they never meet the project's own."""

import subprocess
import sys
from pathlib import Path

from benchmarks.peers.catalogue import PINS

ROOT = Path(__file__).parents[3]
_SECONDS = 600


def python_of(environment: str, folder: Path = ROOT / ".tools" / "peers") -> Path:
    """The Python of this environment, which has what PINS says; made anew when that has changed.

    Raises RuntimeError with what the installer said.
    """
    directory = folder / environment
    python, stamp = directory / "bin" / "python", directory / "pins.txt"
    pins = "\n".join([*PINS[environment], f"{sys.version_info.major}.{sys.version_info.minor}", ""])
    if stamp.exists() and stamp.read_text() == pins and python.exists():
        return python
    print(f"installing {', '.join(PINS[environment])} from PyPI", file=sys.stderr, flush=True)
    uv = _run("bash", ".ci/find_uv.sh").strip()
    _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(directory))
    _run(uv, "pip", "install", "--quiet", "--python", str(python), *PINS[environment])
    stamp.write_text(pins)
    return python


def _run(*command: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-600:]}")
    return done.stdout
