"""How the garbage collector works in a process that serves."""

import gc
from typing import Final

# CPython's own are 700 or 2000, 10, 10: a batch of ten thousand runs makes it walk through everything several times.
_THRESHOLDS: Final = (10_000, 20, 20)


def seek_less_garbage() -> None:
    """Call before anything is loaded: garbage in cycles is sought less often, and freed later."""
    gc.set_threshold(*_THRESHOLDS)


def spare_what_stays() -> None:
    """Call once when everything is loaded: what lives now is never walked through again.

    Modules, schemas and configurations are most of what a process holds, and a full collection stops its event loop for
    as long as it takes to visit them: 60 to 150 ms in a process with all parts. No collection goes before, as the few
    cycles that loading leaves are not worth the same wait.
    """
    gc.freeze()
