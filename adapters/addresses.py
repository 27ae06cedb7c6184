"""Where a source may be: never at a link-local address, here only if it says so.

A name is resolved once for each connection, what it leads to is looked at, and that
very address is connected to: no second answer of a name server comes in between.
"""

import errno
import ipaddress
import socket
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_OWN: Final = "localhost"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(OSError):
    """A name leads only to addresses where no source may be."""


class GuardedResolver(AbstractResolver):
    """Resolves names, and leaves out the addresses where no source may be.

    `loopback` lets any name lead to this machine; `localhost` always may. Raises
    OSError for an unknown name, AddressRefused where nothing is left.
    """

    def __init__(
        self, *, loopback: bool, resolver: AbstractResolver | None = None
    ) -> None:
        self._loopback = loopback
        self._resolver = resolver or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        loopback = self._loopback or is_own_host(host)
        kept = [one for one in found if _may_be_at(one["host"], loopback=loopback)]
        if not kept:  # aiohttp trips over an empty list
            raise (
                AddressRefused if found else OSError(errno.EADDRNOTAVAIL, "no address")
            )
        return kept

    async def close(self) -> None:
        await self._resolver.close()


def is_address(host: str) -> bool:
    """Whether the host is written as an address, which is looked up nowhere."""
    return _address(host) is not None


def is_own_host(host: str) -> bool:
    """Whether the host, as it is written, can only be this machine."""
    address = _address(host)
    if address is not None:
        return address.is_loopback
    name = host.lower().rstrip(".")
    return name == _OWN or name.endswith(f".{_OWN}")


def is_never_asked(host: str) -> bool:
    """Whether the host is written as an address where no source can be."""
    return not _may_be_at(host, loopback=True)


def _may_be_at(host: str, *, loopback: bool) -> bool:
    address = _address(host)
    if address is None:
        return True
    if address.is_loopback:
        return loopback
    return not (address.is_link_local or address.is_unspecified or address.is_multicast)


def _address(host: str) -> Address | None:
    """The address a host is written as, an IPv4 one within IPv6 unpacked."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address
