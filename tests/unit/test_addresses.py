"""Where a source may be: which names and addresses are asked, and which never."""

import socket

import pytest
from aiohttp.abc import AbstractResolver

from adapters.addresses import (
    AddressRefused,
    GuardedResolver,
    is_address,
    is_never_asked,
    is_own_host,
)


class Names(AbstractResolver):
    """Names that lead where a test says."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.closed = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            {"hostname": host, "host": one, "port": port, "family": family,
             "proto": 0, "flags": 0}
            for one in self.addresses
        ]  # fmt: skip

    async def close(self):
        self.closed += 1


async def led_to(host, *addresses, loopback=False):
    resolver = GuardedResolver(loopback=loopback, resolver=Names(*addresses))
    return [one["host"] for one in await resolver.resolve(host, 443)]


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.9", "8.8.8.8", "fd00::1"])
async def test_a_name_may_lead_to_any_ordinary_address(address):
    assert await led_to("epr.invalid", address) == [address]


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254"),
        *("0.0.0.0", "::", "224.0.0.1", "ff02::1", "2002:a9fe:a9fe::1"),  # noqa: S104 - never bound
    ],
)
async def test_no_name_leads_to_where_no_source_is(address):
    for loopback in (False, True):
        with pytest.raises(AddressRefused):
            await led_to("epr.invalid", address, loopback=loopback)
    assert is_never_asked(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
)
async def test_a_name_leads_here_only_if_its_source_says_so(address):
    with pytest.raises(AddressRefused):
        await led_to("epr.invalid", address)
    assert await led_to("epr.invalid", address, loopback=True) == [address]
    assert await led_to("localhost", address) == [address]
    assert not is_never_asked(address)


async def test_of_many_addresses_only_the_ordinary_are_kept():
    found = await led_to("epr.invalid", "127.0.0.1", "10.0.0.1", "169.254.0.1")
    assert found == ["10.0.0.1"]


async def test_a_name_without_an_address_is_unknown_and_not_refused():
    with pytest.raises(OSError, match="no address") as caught:
        await led_to("epr.invalid")
    assert not isinstance(caught.value, AddressRefused)


async def test_closing_closes_what_resolves():
    names = Names()
    await GuardedResolver(loopback=False, resolver=names).close()
    assert names.closed == 1


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("fhir.localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("notlocalhost", False),
        ("localhost.invalid", False),
        ("10.0.0.1", False),
        # No address as it is written, though resolving it may lead here.
        ("2130706433", False),
        ("0x7f.1", False),
    ],
)
def test_a_host_is_our_own_as_it_is_written(host, own):
    assert is_own_host(host) is own


def test_only_what_is_written_as_one_is_an_address():
    assert is_address("127.0.0.1")
    assert is_address("fe80::1%eth0")
    assert not is_address("2130706433")
    assert not is_address("epr.invalid")
