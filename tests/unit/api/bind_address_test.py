"""Where the API listens."""

import pytest

from scheduler_api.bind_address import BindAddress, parse_bind_address


@pytest.mark.parametrize(
    ("text", "address", "is_loopback"),
    [
        ("127.0.0.1:8080", BindAddress("127.0.0.1", 8080), True),
        ("127.8.0.1:0", BindAddress("127.8.0.1", 0), True),
        ("localhost:80", BindAddress("localhost", 80), True),
        ("[::1]:8080", BindAddress("::1", 8080), True),
        ("0.0.0.0:8080", BindAddress("0.0.0.0", 8080), False),
        ("[::]:8080", BindAddress("::", 8080), False),
        ("192.168.1.5:8080", BindAddress("192.168.1.5", 8080), False),
        ("scheduler.example:8080", BindAddress("scheduler.example", 8080), False),
    ],
)
def test_parse_bind_address_knows_loopback(text: str, address: BindAddress, is_loopback: bool) -> None:
    """Only addresses that this machine alone can reach count as loopback; a name that is not localhost does not."""
    assert parse_bind_address(text) == address
    assert address.is_loopback is is_loopback


@pytest.mark.parametrize("text", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:8080", "a:b"])
def test_parse_bind_address_refuses_with_an_example(text: str) -> None:
    """What is no address is refused with a text that shows one."""
    with pytest.raises(ValueError, match="Write"):
        parse_bind_address(text)
