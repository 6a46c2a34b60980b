"""An outage is told once, its end once, and news in between once each."""

import logging

import pytest

from scheduler_infra.message_queue import outage_log
from scheduler_infra.message_queue.outage_log import OutageLog


class AccessRefused(Exception):  # noqa: N818 - named as the driver's
    """Named as the driver's."""


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged, from INFO on."""
    caplog.set_level(logging.INFO, "scheduler_infra.message_queue")
    return caplog


def _levels(told: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in told.records]


def test_outage_of_both_connections_is_told_once(told: pytest.LogCaptureFixture) -> None:
    """However many attempts fail, and on whichever connection: one line, and one when all stand again."""
    log = OutageLog("RabbitMQ at h:1")
    for _ in range(3):
        log.lost("ringing", ConnectionResetError("gone"), was_connected=True)
        log.lost("listening", ConnectionRefusedError("no"), was_connected=False)
    log.over("ringing")
    assert _levels(told) == ["WARNING"]
    log.over("listening")
    assert _levels(told) == ["WARNING", "INFO"]
    assert vars(told.records[0])["reason"] == "gone"
    assert vars(told.records[0])["broker"] == "RabbitMQ at h:1"


def test_refusal_during_an_outage_is_news(told: pytest.LogCaptureFixture) -> None:
    """A broker that comes back and refuses the login is told of once more, and no more than once."""
    log = OutageLog("RabbitMQ at h:1")
    log.lost("ringing", ConnectionRefusedError("no"), was_connected=False)
    for _ in range(3):
        log.lost("ringing", AccessRefused("wrong password"), was_connected=False)
    assert [vars(record)["reason"] for record in told.records] == ["no", "wrong password"]


def test_connection_that_fails_at_once_again_is_not_told_again(
    told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made and lost for one reason in turn is one outage; after a time of peace the same reason is news."""
    log = OutageLog("RabbitMQ at h:1")
    for _ in range(5):
        log.lost("ringing", AccessRefused("may not publish"), was_connected=True)
        log.over("ringing")
    assert _levels(told) == ["WARNING", "INFO"]
    monkeypatch.setattr(outage_log, "_STABLE_SECONDS", -1.0)
    log.lost("ringing", AccessRefused("may not publish"), was_connected=True)
    assert _levels(told) == ["WARNING", "INFO", "WARNING"]
