"""`make torture`: faults by the thousand, and whether the promises held; one JSON line per figure on stdout.

Exit code 0: every figure that was measured holds; 1: one does not, a section broke, or one did nothing.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from torture.report import write_table
from torture.round import UNBOUNDED, Figure, Section, Tally, Turn
from torture.sections import MINUTES, SECTIONS

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".tools" / "torture"
"""Where sections keep how far they are."""
_SEED_STEP = 1_000_003


def play(section: Section, seed: int, minutes: float, tally: Tally | None = None, state: Path | None = None) -> Tally:
    """Play rounds until the section has its cycles or its time is over, and keep the sum after each in `state`."""
    tally = tally or Tally(seed=seed)
    began = time.monotonic()
    deadline = began + minutes * 60 - tally.seconds
    while tally.cycles < section.cycles and not tally.is_over and time.monotonic() < deadline:
        asked = min(section.cycles_of_a_round, section.cycles - tally.cycles)
        round_began = time.monotonic()
        played = section.play(Turn(seed + tally.rounds * _SEED_STEP, asked, deadline, frozenset(tally.done)))
        played.commits = [commit()]
        played.seconds = time.monotonic() - round_began
        tally.add(played)
        _say(f"{section.name}: {tally.cycles} of {section.cycles} after {tally.seconds:.0f} s")
        for violation in played.violations:
            _say(f"{section.name}: {violation}")
        if state is not None:
            state.parent.mkdir(parents=True, exist_ok=True)
            state.write_bytes(msgspec.json.encode(tally))
    return tally


def lines_of(section: Section, tally: Tally) -> list[dict[str, object]]:
    """The figures of a section as they are printed."""
    return [
        {
            "section": section.name,
            **figure.as_json(),
            "cycles": tally.cycles,
            "cycles_asked": section.cycles if section.cycles < UNBOUNDED else None,
            "seed": tally.seed,
            "seconds": round(tally.seconds),
            "commit": ", ".join(tally.commits),
        }
        for figure in (Figure("cycles", tally.cycles, least=1), *section.figures(tally))
    ]


def commit() -> str:
    """Which commit this checkout is at, with a + where it was changed since; empty where nobody can tell."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def main() -> None:
    """Play the sections that were asked for."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"which ones (all): {', '.join(SECTIONS)}")
    parser.add_argument("--resume", action="store_true", help="go on where the sections were stopped")
    parser.add_argument("--write-docs", action="store_true", help="write what is known into docs/reliability.md")
    chosen = parser.parse_args()
    # What was started has to be ended also when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if unknown := [name for name in chosen.sections if name not in SECTIONS]:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    minutes, seed = _number("TORTURE_MINUTES", MINUTES), int(_number("TORTURE_SEED", 1))
    holds = True
    for name in chosen.sections or SECTIONS:
        section = SECTIONS[name]
        state = STATE / f"{name}.json"
        tally = _kept(state, seed) if chosen.resume else None
        try:
            tally = play(section, seed, section.minutes * minutes / MINUTES, tally, state)
        except Exception as error:
            # Whatever has gone wrong in one section, the others are still to be played.
            _say(f"{name} broke with seed {seed}: {type(error).__name__}: {error}")
            holds = False
            continue
        for line in lines_of(section, tally):
            holds = holds and bool(line["holds"])
            print(json.dumps(line), flush=True)
    if chosen.write_docs:
        write_table(ROOT / "docs/reliability.md", {name: _kept(STATE / f"{name}.json") for name in SECTIONS})
    sys.exit(0 if holds else 1)


def _kept(state: Path, seed: int | None = None) -> Tally | None:
    if not state.exists():
        return None
    tally = msgspec.json.decode(state.read_bytes(), type=Tally)
    return tally if seed in (None, tally.seed) else None


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        sys.exit(f"{name} is {text!r}. Give it a number, or leave it out.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
