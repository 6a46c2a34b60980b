"""Where the API listens: text such as 127.0.0.1:8080 taken apart, and how far it can be reached from."""

import ipaddress
from typing import NamedTuple


class BindAddress(NamedTuple):
    """A host (a name or an address without brackets) and a port."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it.

        >>> BindAddress("127.0.0.1", 8080).is_loopback, BindAddress("0.0.0.0", 8080).is_loopback
        (True, False)
        """
        address = self._address
        return self.host == "localhost" if address is None else address.is_loopback

    def url(self, port: int) -> str:
        """How a client on this machine reaches it on `port`, the one that was really bound.

        >>> BindAddress("0.0.0.0", 0).url(8080), BindAddress("::1", 0).url(8080)
        ('http://127.0.0.1:8080', 'http://[::1]:8080')
        """
        address = self._address
        if address is None:
            return f"http://{self.host}:{port}"
        if address.is_unspecified:
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
        return f"http://{address}:{port}" if address.version == 4 else f"http://[{address}]:{port}"

    @property
    def elsewhere(self) -> str:
        """What to say behind `url` where it is reached from other machines, too; else nothing.

        >>> BindAddress("0.0.0.0", 8080).elsewhere, BindAddress("127.0.0.1", 8080).elsewhere
        (' and every other address of this machine', '')
        """
        address = self._address
        return " and every other address of this machine" if address is not None and address.is_unspecified else ""

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def parse_bind_address(text: str) -> BindAddress:
    """Take host:port or [IPv6]:port apart; raises ValueError with the reason and the remedy.

    >>> parse_bind_address("[::1]:8080")
    BindAddress(host='::1', port=8080)
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError(f"'{text}' is not host:port. Write an address and a port, such as 127.0.0.1:8080.")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"'{text}' is an IPv6 address without brackets. Write it as [{host}]:{port}.")
    return BindAddress(host, int(port))
