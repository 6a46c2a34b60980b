"""Removal of what jobs have made; also the program that a supervisor becomes when nothing else is left of them."""

import contextlib
import os
import sys


def remove_tree(path: str) -> None:
    """Remove a directory with all that is in it; what cannot be removed stays."""
    import shutil

    if os.geteuid() != 0:
        # Root needs no permission, and must change none where users that jobs run as can put links.
        _open_up(path)
        for folder, names, _ in os.walk(path):
            for name in names:
                _open_up(f"{folder}/{name}")
    shutil.rmtree(path, ignore_errors=True)


def _open_up(path: str) -> None:
    with contextlib.suppress(OSError):
        if not os.path.islink(path):
            os.chmod(path, 0o700)


if __name__ == "__main__":
    remove_tree(sys.argv[1])
