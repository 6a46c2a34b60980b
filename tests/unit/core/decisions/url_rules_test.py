"""Addresses of HTTP calls."""

import pytest

from scheduler_core.decisions.url_rules import shown_url, url_problem


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/p?token=hunter2", "http://h/p"),
        ("http://h/p#hunter2", "http://h/p"),
        ("http://user:hunter2@h:80/p", "http://h:80/p"),
        ("http://user:hun@ter2@h/p", "http://h/p"),
        ("user:hunter2@h/p", "h/p"),
        ("http://user:hunter2/x@h/", "http://…"),
        ("http://user:hunter2?x@h/", "http://…"),
        ("http://user:hunter2#x@h/", "http://…"),
        ("http://h/p?mail=a@b", "http://h/p"),
        ("http://h:80/~a@b", "http://h:80/~a@b"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("http://h/a\nb", "http://h/a\N{REPLACEMENT CHARACTER}b"),
        (f"http://h/{'x' * 500}", f"http://h/{'x' * 191}"),
    ],
)
def test_core_unit_url_shown_without_secrets(url: str, shown: str) -> None:
    """User, password, query and fragment are never shown, wherever the password has odd characters."""
    assert shown_url(url) == shown


@pytest.mark.parametrize("url", ["http://h", "https://h:8443/p?q#f", "http://[::1]:80/", "http://h:/", "HTTP://H/"])
def test_core_unit_url_that_can_be_called(url: str) -> None:
    """Ordinary addresses have no problem."""
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (None, "needs url"),
        (True, "url is a string, not true or false"),
        ({}, "url is a string, not an object"),
        ("http://u:hunter2@h/", "'http://h/' has a user or password in it"),
        ("http://@h/", "has a user or password in it"),
        ("http://[::1/?hunter2", "its host cannot be read"),
        ("http://h:0/", "its port is no number from 1 to 65535"),
        ("http://[::1]:99999/", "its port is no number from 1 to 65535"),
        ("http://u:hunter2/", "'http://u:hunter2/' is no URL: its port"),
        ("http://a\\b/", "is no URL this task type can call"),
        ("http://:80/", "is no URL this task type can call"),
        ("http:h", "is no URL this task type can call"),
        ("http://h/\tx", "contains a space or control character"),
    ],
)
def test_core_unit_url_that_cannot(url: object, told: str) -> None:
    """The refusal says what is wrong, without what may be secret."""
    assert told in str(url_problem(url))
