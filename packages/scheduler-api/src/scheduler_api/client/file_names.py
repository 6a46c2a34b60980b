"""Names of files on a command line where `-` is one of them, for stdin."""

from collections.abc import Sequence

from scheduler_api.client.client_error import UsageError


def check_file_names(files: Sequence[str]) -> None:
    """Return if none of them is an option that was misspelt; raises UsageError naming it."""
    for file in files:
        if file.startswith("-") and file != "-":
            raise UsageError(f"There is no option {file}. A file of that name is written ./{file}; see --help.")
