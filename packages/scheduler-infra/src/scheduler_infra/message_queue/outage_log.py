"""What is said about a broker that is away: once when it goes, once when it is back."""

import logging

logger = logging.getLogger("scheduler_infra.message_queue")


class OutageLog:
    """The log of one connection; attempts in between are not worth a line each."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._told = False

    def lost(self, error: BaseException, *, was_connected: bool) -> None:
        """Tell that the connection was lost or could not be made, unless that is known already."""
        if not self._told:
            event = "message queue lost" if was_connected else "message queue cannot be reached"
            logger.warning(
                f"{event}; connecting again, work is found by polling meanwhile",  # noqa: G004 - two fixed texts
                extra={"connection": self._role, "reason": first_line(error)},
            )
        self._told = True

    def over(self) -> None:
        """Tell that the connection stands again, if it was told that it did not."""
        if self._told:
            logger.info("message queue reached again", extra={"connection": self._role})
        self._told = False


def first_line(error: BaseException) -> str:
    """What an error says, as far as it fits a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
