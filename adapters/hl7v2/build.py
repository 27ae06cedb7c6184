"""An HL7 v2 adapter from its source file, checked as a whole."""

import ssl
from pathlib import Path

from adapters.errors import ConfigurationError
from adapters.hl7v2.adapter import Hl7v2, Place
from adapters.hl7v2.settings import Hl7v2File, Listener
from adapters.source_file import fingerprint, read, wrong
from adapters.surroundings import Surroundings


def build(path: Path, surroundings: Surroundings) -> Hl7v2:
    """The adapter a source file of kind `hl7v2` asks for.

    ConfigurationError if the file is wrong, or names a certificate that cannot be
    used. A directory that is missing is found out when asked.
    """
    settings = read(path, Hl7v2File)
    own = settings.directory
    place = Place(
        directory=path.parent / own if own is not None else None,
        tls=_context(path, settings.mllp) if settings.mllp is not None else None,
        fingerprint=fingerprint(path),
    )
    return Hl7v2(settings, place, surroundings)


def _context(path: Path, listener: Listener) -> ssl.SSLContext | None:
    if listener.certificate is None or listener.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate = path.parent / listener.certificate
    try:
        # Without a password of ours OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, path.parent / listener.key, password="")
    except (OSError, ssl.SSLError):
        raise _unusable(path, "certificate") from None
    if listener.ca is not None:
        try:
            context.load_verify_locations(path.parent / listener.ca)
        except (OSError, ssl.SSLError):
            raise _unusable(path, "ca") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _unusable(path: Path, key: str) -> ConfigurationError:
    message = "names no PEM file that can be used. Correct the path, or the file."
    return wrong(path, ("mllp", key), message)
