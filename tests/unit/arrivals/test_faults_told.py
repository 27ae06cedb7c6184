"""What goes wrong with an inbox is told in our own words, by whose it is to mend."""

import socket
import ssl
from contextlib import ExitStack

import asyncssh
import pytest
import requests
import urllib3

from adapters.arrivals import mesh, sftp
from adapters.errors import Refused, Unavailable, Unreadable
from tests.inboxes import knowing
from tests.unit.arrivals.test_arrival_settings import MESH, settings

QUOTED = "a server's own words"

OF_SFTP = [
    (asyncssh.HostKeyNotVerifiable(QUOTED), Refused, "host_key", "adapter"),
    (asyncssh.PermissionDenied(QUOTED), Refused, "credentials", "adapter"),
    (asyncssh.KeyEncryptionError(QUOTED), Refused, "credentials", "adapter"),
    (asyncssh.SFTPPermissionDenied(QUOTED), Refused, "refused", "source"),
    (asyncssh.SFTPNoSuchFile(QUOTED), Unavailable, "inbox_missing", "adapter"),
    (TimeoutError(QUOTED), Unavailable, "timeout", "source"),
    (socket.gaierror(QUOTED), Unavailable, "dns", "source"),
    (asyncssh.SFTPConnectionLost(QUOTED), Unavailable, "cut", "source"),
    (asyncssh.ConnectionLost(QUOTED), Unavailable, "cut", "source"),
    (asyncssh.ChannelOpenError(1, QUOTED), Unavailable, "cut", "source"),
    (ConnectionRefusedError(QUOTED), Unavailable, "connect", "source"),
    (asyncssh.SFTPBadMessage(QUOTED), Unreadable, "unreadable", "source"),
]


@pytest.mark.parametrize(("error", "kind", "reason", "domain"), OF_SFTP)
def test_of_an_sftp_server(error, kind, reason, domain):
    with pytest.raises(kind) as caught, sftp.explained():
        raise error
    assert (caught.value.reason, caught.value.domain) == (reason, domain)
    assert QUOTED not in str(caught.value)


def caused(cause):
    """As the libraries hand it on: wrapped, and wrapped again."""
    wrapped = urllib3.exceptions.MaxRetryError(None, "/inbox", cause)  # type: ignore[arg-type]  # no pool
    return requests.ConnectionError(wrapped)


UNKNOWN = ssl.SSLCertVerificationError(1, QUOTED)
UNKNOWN.verify_code = 20
EXPIRED = ssl.SSLCertVerificationError(1, QUOTED)
EXPIRED.verify_code = 10
NO_NAME = urllib3.exceptions.NameResolutionError("h", None, socket.gaierror())  # type: ignore[arg-type]  # no connection

OF_MESH = [
    (caused(urllib3.exceptions.SSLError(UNKNOWN)), "tls", "adapter"),
    (caused(urllib3.exceptions.SSLError(EXPIRED)), "tls", "source"),
    (caused(NO_NAME), "dns", "source"),
    (caused(urllib3.exceptions.ConnectTimeoutError(QUOTED)), "timeout", "source"),
    (caused(ConnectionRefusedError(QUOTED)), "connect", "source"),
    (requests.ReadTimeout(TimeoutError(QUOTED)), "timeout", "source"),
    (requests.TooManyRedirects(QUOTED), "redirect", "source"),
    (requests.ConnectionError(QUOTED), "cut", "source"),
    (urllib3.exceptions.ProtocolError(QUOTED), "cut", "source"),
    (requests.HTTPError(QUOTED), "unreadable", "source"),
]


@pytest.mark.parametrize(("error", "reason", "domain"), OF_MESH)
def test_of_mesh(error, reason, domain):
    with pytest.raises((Unavailable, Refused, Unreadable)) as caught, mesh.explained():
        raise error
    assert (caught.value.reason, caught.value.domain) == (reason, domain)
    assert QUOTED not in str(caught.value)


async def test_of_papers_that_are_none(tmp_path):
    secrets = {"file:/run/secrets/mesh.pem": "no", "file:/run/secrets/mesh.key": "no"}
    with pytest.raises(Unavailable) as caught:
        await mesh.context_of(settings(MESH), knowing(tmp_path, secrets).secret)
    assert (caught.value.reason, caught.value.domain) == ("tls", "adapter")


def test_where_no_authority_is_named_those_of_nhs_england_are_believed():
    known = mesh._authorities(settings(MESH), str, ExitStack())
    assert known is not None
    assert "nhs" in known.name
    assert known.exists()
    elsewhere = settings({**MESH, "url": "https://msg.example"})
    assert mesh._authorities(elsewhere, str, ExitStack()) is None
