"""Secrets do not reach a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_infra.observability.secret_filter import MASKED, mask_fields, mask_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:pw@h:5432/db?x=1", f"postgresql://u:{MASKED}@h:5432/db?x=1"),
        ("amqps://worker:p%40ss:word@h//", f"amqps://worker:{MASKED}@h//"),
        ("amqp://u:p@ss@h/", f"amqp://u:{MASKED}@h/"),
        ("redis://:pw@h/0", f"redis://:{MASKED}@h/0"),
        ("two http://a:b@c and http://d:e@f.", f"two http://a:{MASKED}@c and http://d:{MASKED}@f."),
        ("host=h password=pw dbname=d", f"host=h password={MASKED} dbname=d"),
        ("host=h password='p w\\'x' dbname=d", f"host=h password={MASKED} dbname=d"),
        ("postgresql://h/db?user=u&password=pw&x=1", f"postgresql://h/db?user=u&password={MASKED}&x=1"),
        ("Authorization: Bearer sk_live_0123456789", f"Authorization: Bearer {MASKED}"),
    ],
)
def test_mask_text_hides_passwords(text: str, expected: str) -> None:
    """Passwords go, and everything around them stays to help the reader."""
    assert mask_text(text) == expected


@pytest.mark.parametrize(
    "text",
    ["postgresql://u@h/db", "http://h/a@b:c", "run 7 took 3:04", "a = b", "mail me@example.org", "bearer of news"],
)
def test_mask_text_leaves_the_rest(text: str) -> None:
    """A line without a secret is not touched."""
    assert mask_text(text) == text


@given(
    st.text(
        alphabet=st.characters(exclude_characters="/?#@\"' \t\n\r\x0b\x0c", exclude_categories=("Z", "C")), min_size=1
    )
)
def test_mask_text_hides_every_password(password: str) -> None:
    """No password that can be written in a URL survives, whatever it consists of."""
    assert mask_text(f"amqp://user:{password}@host/") == f"amqp://user:{MASKED}@host/"


def test_mask_fields_hides_values_by_their_name() -> None:
    """A field that is named like a secret is masked, one that only sounds like it is not."""
    event = {"event": "e", "api_key": "k", "Authorization": "a", "database_password": 5, "token": None, "tokens": 3}
    assert mask_fields(None, "info", dict(event)) == {
        "event": "e",
        "api_key": MASKED,
        "Authorization": MASKED,
        "database_password": MASKED,
        "token": None,
        "tokens": 3,
    }
