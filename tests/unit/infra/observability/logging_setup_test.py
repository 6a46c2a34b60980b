"""Log lines of every origin come out alike."""

import io
import json
import logging
from datetime import datetime
from typing import Any

import pytest
import structlog

from scheduler_infra.observability.logging_setup import logging_set_up
from scheduler_infra.observability.observability_config import ObservabilityConfig


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON lines of a stream."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_logging_set_up_writes_json_of_standard_library_loggers() -> None:
    """Message, ids given as extra, level, logger, component and UTC time are fields of one JSON object a line."""
    stream = io.StringIO()
    with logging_set_up(ObservabilityConfig(), "worker", stream):
        logging.getLogger("scheduler_worker.x").info("run %s finished", 7, extra={"run_id": 7, "outcome": "COMPLETED"})
    (line,) = written(stream)
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() is not None
    assert line == {
        "event": "run 7 finished",
        "run_id": 7,
        "outcome": "COMPLETED",
        "component": "worker",
        "level": "info",
        "logger": "scheduler_worker.x",
    }


def test_logging_set_up_writes_json_of_structlog_loggers() -> None:
    """A structlog logger and its context variables come out in the same form."""
    stream = io.StringIO()
    with logging_set_up(ObservabilityConfig(log_format="json"), "api", stream):
        with structlog.contextvars.bound_contextvars(request_id="r1"):
            structlog.get_logger("scheduler_api.y").warning("request refused", status=401)
            logging.getLogger("scheduler_api.z").error("and the other")
    first, second = written(stream)
    assert {"event": "request refused", "status": 401, "request_id": "r1", "level": "warning"}.items() <= first.items()
    assert {"event": "and the other", "request_id": "r1", "component": "api"}.items() <= second.items()


def test_logging_set_up_masks_passwords_in_messages_fields_and_tracebacks() -> None:
    """A password is masked wherever in a line it turns up, in both formats."""
    for log_format in ("json", "console"):
        stream = io.StringIO()
        with logging_set_up(ObservabilityConfig(log_format=log_format), "api", stream):
            logger = logging.getLogger("x")
            logger.info(
                "to %s", "amqp://u:swordfish@h/", extra={"url": "postgresql://u:swordfish@h/", "api_key": "swordfish"}
            )
            try:
                raise ConnectionError("no route to postgresql://u:swordfish@h/db")
            except ConnectionError:
                logger.exception("connect failed")
        assert "no route to postgresql://u:****" in stream.getvalue()
        assert "Traceback" in stream.getvalue()
        assert "swordfish" not in stream.getvalue()


@pytest.mark.parametrize(
    ("log_format", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("console", io.StringIO(), False),
        ("json", Terminal(), True),
    ],
)
def test_logging_set_up_follows_the_format(log_format: Any, stream: io.StringIO, is_json: bool) -> None:
    """The setting log_format decides, and auto looks whether a person is reading."""
    with logging_set_up(ObservabilityConfig(log_format=log_format), "api", stream):
        logging.getLogger("x").warning("hello there")
    assert stream.getvalue().startswith("{") is is_json
    assert "hello there" in stream.getvalue()


def test_logging_set_up_follows_the_level() -> None:
    """The setting log_level decides what is written; other people's chatter needs DEBUG."""
    for level, expected in (("INFO", ["i", "w"]), ("ERROR", []), ("DEBUG", ["d", "i", "w", "k"])):
        stream = io.StringIO()
        with logging_set_up(ObservabilityConfig(log_level=level), "api", stream):  # type: ignore[arg-type]
            logging.getLogger("x").debug("d")
            logging.getLogger("x").info("i")
            structlog.get_logger("x").warning("w")
            logging.getLogger("kombu.connection").info("k")
        assert [line["event"] for line in written(stream)] == expected


def test_logging_set_up_changes_level_and_format_while_it_is_entered() -> None:
    """What was asked for later counts for the next line, other people's chatter included, both ways."""
    stream = io.StringIO()
    with logging_set_up(ObservabilityConfig(log_level="WARNING"), "api", stream) as change:
        for level in ("ERROR", "DEBUG", "INFO"):
            change(ObservabilityConfig(log_level=level))
            logging.getLogger("x").debug("d")
            structlog.get_logger("x").warning("w")
            logging.getLogger("kombu.connection").info("k")
        assert [line["event"] for line in written(stream)] == ["d", "w", "k", "w"]
        change(ObservabilityConfig(log_format="console"))
        logging.getLogger("x").warning("hello there")
    assert "hello there" in stream.getvalue()
    assert not stream.getvalue().splitlines()[-1].startswith("{")


def test_logging_set_up_writes_whatever_it_is_given() -> None:
    """A field that JSON cannot hold does not cost the line."""
    stream = io.StringIO()
    with logging_set_up(ObservabilityConfig(), "api", stream):
        logging.getLogger("x").info("odd", extra={"lone": "\ud800", "thing": object(), "keys": {(1, 2): 3}})
    (line,) = written(stream)
    assert line["event"] == "odd"


def test_logging_set_up_leaves_logging_as_it_was() -> None:
    """After the context the handlers and levels of before are back."""
    root = logging.getLogger()
    before = (root.level, root.handlers[:], logging.getLogger("kombu").level)
    with logging_set_up(ObservabilityConfig(log_level="DEBUG"), "api", io.StringIO()):
        assert root.handlers != before[1]
    assert (root.level, root.handlers, logging.getLogger("kombu").level) == before
