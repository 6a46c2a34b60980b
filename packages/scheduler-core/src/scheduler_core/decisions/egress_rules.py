"""Which addresses the HTTP calls of jobs may go to."""

import re
from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_ENTRY = re.compile(r"(?P<target>\[[^\[\]]+\]|[^:\[\]]+)(:(?P<port>[0-9]{1,5}))?")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Python takes some of these for global addresses: they lead to others, which may be any, or to the network itself.
_NOT_PUBLIC: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),  # between a provider and its customers
    IPv4Network("192.0.0.0/24"),  # protocol assignments, among them metadata services
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/23"),  # protocol assignments, among them Teredo
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),
)


class AllowEntry(NamedTuple):
    """An entry of an allow-list: a network or the name of a host, and the port when it is for that one only."""

    network: Network | None
    host: str | None
    port: int | None


class EgressPolicy(NamedTuple):
    """What may be called: `ports` of public addresses (empty: all), and whatever `allowed` lists besides."""

    ports: frozenset[int]
    allowed: tuple[AllowEntry, ...]

    @classmethod
    def of(cls, ports: Iterable[int], allow: Iterable[str]) -> "EgressPolicy":
        """The policy that settings describe; ValueError with a sentence for an entry that is none."""
        return cls(frozenset(ports), tuple(allow_entry(text) for text in allow))


def call_problem(policy: EgressPolicy, host: str, port: int, addresses: Sequence[str]) -> str | None:
    """Why nothing may be sent to a host that has these addresses, all of which count; None when it may.

    >>> policy = EgressPolicy.of([443], ["10.1.0.0/16"])
    >>> call_problem(policy, "example.org", 443, ["93.184.215.14", "10.1.2.3"])
    >>> call_problem(policy, "example.org", 443, ["93.184.215.14", "10.2.0.1"])[:66]
    'example.org must not be called: it is 10.2.0.1, which is no public'
    """
    name = _plain(host)
    for address in map(_unwrapped, addresses):
        if not any(_fits(entry, policy, name, address, port) for entry in policy.allowed):
            if not is_public(address):
                told = "it is no" if str(address) == host else f"it is {address}, which is no"
                return (
                    f"{host} must not be called: {told} public address. Where that is meant, list it in the worker's "
                    "setting http_allow."
                )
            if not _is_open(policy, port):
                return _port_sentence(policy, host, port)
    return None


def port_problem(policy: EgressPolicy, host: str, port: int) -> str | None:
    """Why this port must not be called, whatever the addresses of the host are; None when it may be."""
    if _is_open(policy, port) or any(entry.port == port for entry in policy.allowed):
        return None
    return _port_sentence(policy, host, port)


def is_public(address: Address) -> bool:
    """Whether an address belongs to one host of the public Internet, and leads nowhere else."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if not address.is_global or address.is_multicast:
        return False
    return not any(address.version == network.version and address in network for network in _NOT_PUBLIC)


def allow_entry(text: str) -> AllowEntry:
    """An entry as it is written: an address, a network or a host, with a port or without.

    >>> allow_entry("10.0.0.0/8"), allow_entry("build.example.org:9000")
    ... # doctest: +NORMALIZE_WHITESPACE
    (AllowEntry(network=IPv4Network('10.0.0.0/8'), host=None, port=None),
     AllowEntry(network=None, host='build.example.org', port=9000))
    """
    if (network := _network(text)) is not None:
        return AllowEntry(network, None, None)
    match = _ENTRY.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    if match and (port is None or 1 <= port <= 65_535):
        if (network := _network(match["target"].strip("[]"))) is not None:
            return AllowEntry(network, None, port)
        name = _plain(match["target"])
        # What ends in a number is read as an address by some resolvers.
        if _HOST.fullmatch(name) and not name.rpartition(".")[2].isdecimal():
            return AllowEntry(None, name, port)
    raise ValueError(
        f"{text[:100]!r} is no address, network or host. Write one such as 10.1.0.0/16, 127.0.0.1, "
        "build.example.org, build.example.org:9000 or [::1]:9000."
    )


def _fits(entry: AllowEntry, policy: EgressPolicy, name: str, address: Address, port: int) -> bool:
    if entry.port != port and not (entry.port is None and _is_open(policy, port)):
        return False
    if entry.network is None:
        return entry.host == name
    return entry.network.version == address.version and address in entry.network


def _is_open(policy: EgressPolicy, port: int) -> bool:
    return not policy.ports or port in policy.ports


def _port_sentence(policy: EgressPolicy, host: str, port: int) -> str:
    return (
        f"Port {port} of {host} must not be called: the worker's setting http_ports has {_listed(policy.ports)}. Where "
        f"that is meant, add it there, or list {host}:{port} in http_allow."
    )


def _unwrapped(text: str) -> Address:
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _listed(ports: Collection[int]) -> str:
    return ", ".join(map(str, sorted(ports)))
