"""Which addresses HTTP calls may go to."""

from ipaddress import ip_address

import pytest

from scheduler_core.decisions.egress_rules import EgressPolicy, allow_entry, call_problem, is_public, port_problem

CLOSED = EgressPolicy.of([80, 443], [])


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.215.14", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_core_unit_egress_public_addresses(text: str) -> None:
    """An address of one host of the Internet is public."""
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.9", "192.0.0.192",
        "192.88.99.1", "192.168.0.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::",
        "::1", "::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:20::1", "2001:db8::1",
        "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fe80::1", "fec0::1", "ff0e::1",
    ],
)  # fmt: skip
def test_core_unit_egress_other_addresses(text: str) -> None:
    """What leads into a network, to many hosts, or by way of another address is not public."""
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("10.0.0.0/8", ("10.0.0.0/8", None, None)),
        ("10.1.2.3/8", ("10.0.0.0/8", None, None)),
        ("127.0.0.1:9000", ("127.0.0.1/32", None, 9000)),
        ("::1", ("::1/128", None, None)),
        ("[::1]", ("::1/128", None, None)),
        ("[fd00::/8]:80", ("fd00::/8", None, 80)),
        ("Build.Example.ORG.", (None, "build.example.org", None)),
        ("build_1:65535", (None, "build_1", 65535)),
    ],
)
def test_core_unit_egress_allow_entry(text: str, written: tuple[str | None, str | None, int | None]) -> None:
    """Addresses, networks and hosts can be listed, with a port or without."""
    network, host, port = allow_entry(text)
    assert (None if network is None else str(network), host, port) == written


@pytest.mark.parametrize(
    "text",
    ["", " ", "*", "*.example.org", "h:0", "h:65536", "h:", ":80", "127.1", "2130706433", "http://h", "h/p", "[h]"],
)
def test_core_unit_egress_allow_entry_refuses(text: str) -> None:
    """What could be read in two ways is no entry, and the refusal shows the forms that there are."""
    with pytest.raises(ValueError, match=r"is no address, network or host\. Write one such as"):
        allow_entry(text)


def test_core_unit_egress_judges_every_address() -> None:
    """One private address among public ones is enough, wherever it stands."""
    for addresses in (["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "10.0.0.1"]):
        assert call_problem(CLOSED, "mixed", 80, addresses) == (
            "mixed must not be called: it is 10.0.0.1, which is no public address. Where that is meant, list it in the "
            "worker's setting http_allow."
        )


def test_core_unit_egress_tells_which_ports_are_open() -> None:
    """A port that is not listed is refused before the host is looked up, with the ports that are."""
    told = (
        "Port 25 of example.org must not be called: the worker's setting http_ports has 80, 443. Where that is meant, "
        "add it there, or list example.org:25 in http_allow."
    )
    assert port_problem(CLOSED, "example.org", 25) == told
    assert call_problem(CLOSED, "example.org", 25, ["8.8.8.8"]) == told
    assert port_problem(EgressPolicy.of([], []), "example.org", 25) is None
    # Another host's entry lets the look-up happen, and nothing more.
    other = EgressPolicy.of([80, 443], ["10.0.0.1:25"])
    assert port_problem(other, "example.org", 25) is None
    assert call_problem(other, "example.org", 25, ["8.8.8.8"]) == told
    assert call_problem(other, "example.org", 25, ["10.0.0.1"]) is None
