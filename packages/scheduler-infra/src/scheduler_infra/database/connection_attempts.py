"""What became of the attempts to connect, which a pool makes in the background and tells nobody about."""

from typing import Any

from psycopg import AsyncConnection


class ConnectionAttempts:
    """How the newest attempt of a pool to connect ended."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        """Why the newest attempt failed; None when it succeeded, or there was none yet."""

    def watch(self, connection_class: type[AsyncConnection[Any]]) -> type[AsyncConnection[Any]]:
        """A class whose connections are those of the given one, and whose attempts are noted here."""
        attempts = self

        class WatchedConnection(connection_class):  # type: ignore[misc, valid-type]  # which class it is is known here only
            @classmethod
            async def connect(cls, *arguments: Any, **options: Any) -> AsyncConnection[Any]:
                try:
                    connection: AsyncConnection[Any] = await super().connect(*arguments, **options)
                except Exception as error:
                    attempts.failure = error
                    raise
                attempts.failure = None
                return connection

        return WatchedConnection
