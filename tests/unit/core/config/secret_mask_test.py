"""What is left of a secret when it is shown."""

import pytest

from scheduler_core.config.secret_mask import MASKED, mask


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("hunter2", MASKED),
        ("postgresql://joe:hunter2@db:5432/x", f"postgresql://joe:{MASKED}@db:5432/x"),
        ("postgresql://joe:hun@ter2/@db/x?sslpassword=hunter2", f"postgresql://joe:{MASKED}@db/x?{MASKED}"),
        ("postgresql://db/x?password=hunter2", f"postgresql://db/x?{MASKED}"),
        ("postgresql://joe:hunter2?@db/x", f"postgresql://joe:{MASKED}@db/x"),
        ("postgresql://joe@db/x", "postgresql://joe@db/x"),
        ("embedded", "embedded"),
        (None, None),
        (["hunter2"], MASKED),
    ],
)
def test_mask_hides_secrets(value: object, shown: object) -> None:
    """Passwords are hidden, also in a URL with characters that should have been escaped; the address stays."""
    assert mask(value, secret=True, default="embedded") == shown


def test_mask_leaves_other_values() -> None:
    """What is no secret is shown as it is."""
    assert mask("hunter2", secret=False) == "hunter2"
