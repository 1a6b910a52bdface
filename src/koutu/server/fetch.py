"""An image from a URL that a stranger gave: only public addresses, checked before each connection, and no others."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import h11

from koutu.server.errors import Refused, invalid, too_large

PORTS = {"http": (80, 8080), "https": (443, 8443)}
REDIRECTS = 3
MAX_URL = 2048
_UNICAST = ipaddress.ip_network("2000::/3")
Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a name."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """Whether an address belongs to the Internet, and not to this machine, a private network, a cloud or a tunnel."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # "fe80::1%eth0"
        return False
    # Tunnels and translations carry an IPv4 address inside, which nobody would check.
    if ip.version == 6 and (ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip not in _UNICAST):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


@dataclass(frozen=True)
class Fetcher:
    """How images are fetched. allowed: which addresses may be connected to; every one of a name's must be."""

    seconds: float
    megabytes: int
    resolve: Resolve = resolve
    allowed: Callable[[str], bool] = is_public
    ports: tuple[int, ...] = PORTS["http"] + PORTS["https"]

    async def __call__(self, url: str) -> bytes:
        """What lies there; raises Refused."""
        try:
            return await asyncio.wait_for(self._follow(url), self.seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise _failed(f"expected the URL's server to answer within {self.seconds:g} s, it did not") from None
        except (OSError, ssl.SSLError, h11.ProtocolError) as error:
            raise _failed(f"expected an image from the URL, its server could not be used ({_brief(error)})") from error

    async def _follow(self, url: str) -> bytes:
        for _ in range(REDIRECTS + 1):
            scheme, host, port, target = parse(url)
            address = await self._address(host, port)
            answer = await self._get(scheme, host, port, target, address)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
        raise _failed(f"expected at most {REDIRECTS} redirections, got more; give the image's own URL")

    async def _address(self, host: str, port: int) -> str:
        """The address to connect to: that which was checked, so that a name cannot change its mind."""
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise _failed("expected a URL whose host has an address, got none; check its spelling")
        if port not in self.ports or not all(self.allowed(address) for address in addresses):
            raise Refused(
                403, "address_not_allowed", "Address not allowed",
                "expected a URL in the public Internet on a usual port, got another; send the image itself",
            )  # fmt: skip
        return addresses[0]

    async def _get(self, scheme: str, host: str, port: int, target: str, address: str) -> bytes | str:
        """The body, or where the answer sends us."""
        secure = {"ssl": ssl.create_default_context(), "server_hostname": host} if scheme == "https" else {}
        reader, writer = await asyncio.open_connection(address, port, **secure)
        try:
            connection = h11.Connection(h11.CLIENT)
            named = f"[{host}]" if ":" in host else host
            headers = {"Host": named if port in (80, 443) else f"{named}:{port}", "Accept": "image/*"}
            headers |= {"Accept-Encoding": "identity", "User-Agent": "koutu", "Connection": "close"}
            request = h11.Request(method="GET", target=target, headers=list(headers.items()))
            writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
            await writer.drain()
            return await self._read(connection, reader)
        finally:
            writer.close()

    async def _read(self, connection: h11.Connection, reader: asyncio.StreamReader) -> bytes | str:
        most, body = self.megabytes * 1_000_000, bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Response):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                if event.status_code in (301, 302, 303, 307, 308) and headers.get("location"):
                    return headers["location"]
                if event.status_code != 200 or headers.get("content-encoding", "identity") != "identity":
                    raise _failed(f"expected an image from the URL, its server answered {event.status_code}")
                declared = headers.get("content-length", "")
                if declared.isdecimal() and int(declared) > most:
                    raise _over(self.megabytes)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > most:
                    raise _over(self.megabytes)
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return bytes(body)


def parse(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and target of a URL that may be fetched at all; raises Refused (400)."""
    wrong = invalid(
        "expected an http or https URL without user name, got another; send the image itself", "invalid_url"
    )
    if len(url) > MAX_URL or not url.isascii() or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        raise wrong
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    if scheme not in PORTS or not host or "@" in parts.netloc or "%" in host:
        raise wrong
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return scheme, host, port if port is not None else PORTS[scheme][0], target


def _failed(detail: str) -> Refused:
    return Refused(400, "failed_fetch", "The URL could not be fetched", detail)


def _over(megabytes: int) -> Refused:
    return too_large(f"expected an image of at most {megabytes} MB at the URL, got more; send a smaller one")


def _brief(error: Exception) -> str:
    """Not the address or the system's words: they would tell about the server's own network."""
    return type(error).__name__
