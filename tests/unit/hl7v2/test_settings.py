"""Source files of a feed: each error names file, line, key and remedy."""

import tomllib

import pytest
import trustme
from pydantic import ValidationError

from adapters.arrivals import Sftp
from adapters.errors import ConfigurationError
from adapters.hl7v2 import build
from adapters.hl7v2.settings import Hl7v2File, appointment_kind, outpatient_kind
from adapters.registry import KINDS, open_source
from tests.hl7 import SOURCE
from tests.surroundings import in_folder


def refused(folder, text: str) -> ConfigurationError:
    path = folder / "source.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        build(path, in_folder(folder))
    return caught.value


NO_DIRECTORY = SOURCE.replace('directory = "feed"\n', "")


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        (SOURCE.replace("settle_s", "setle_s"), "setle_s", "Did you mean settle_s?"),
        (SOURCE.replace('"ADT", ', '"ADR", '), "reads.0", "'ADT'"),
        (SOURCE.replace("HOSP = ", "H = ") + '"" = 1\n', "authorities.", "string"),
        ('zone = "Mars"\n' + SOURCE, "zone", "Europe/London"),
        ('encoding = "klingon"\n' + SOURCE, "encoding", "utf-8 or cp1252"),
        ('encoding = "utf-16"\n' + SOURCE, "encoding", "utf-8 or cp1252"),
        ('pattern = "a/*.hl7"\n' + SOURCE, "pattern", "take the path out"),
        ('pattern = ".."\n' + SOURCE, "pattern", "take the path out"),
        (SOURCE + '[classes]\nX = "teaparty"\n', "classes", "no kind of event"),
        (NO_DIRECTORY, None, "no message can come in"),
        (SOURCE.replace("HOSP = ", "HOSP = 'urn:x' # "), None, "key must be one"),
        (
            SOURCE.replace(
                'key = "urn:throughline:test:hospital"',
                'key = "https://fhir.nhs.uk/Id/nhs-number"',
            ),
            None,
            "not an NHS number",
        ),
        (SOURCE + "[mllp]\nport = 99999\n", "mllp.port", "65535"),
        (SOURCE + '[mllp]\nport = 1\nhost = "0.0.0.0"\n', "mllp", "unencrypted = true"),
        (
            SOURCE + '[mllp]\nport = 1\ncertificate = "c.pem"\n',
            "mllp",
            "both",
        ),
        (SOURCE + '[mllp]\nport = 1\nca = "c.pem"\n', "mllp", "beside it"),
        (
            SOURCE + '[mllp]\nport = 1\ncertificate = "no.pem"\nkey = "no"\n',
            "mllp.certificate",
            "no PEM file",
        ),
    ],
)
def test_a_wrong_file_says_where_and_what_to_do(tmp_path, text, key, remedy):
    error = refused(tmp_path, text)
    assert remedy in str(error)
    assert error.file.endswith("source.toml")
    if key is not None:
        assert error.key is not None
        assert error.key.startswith(key)


def test_an_authority_that_is_no_certificate_is_refused(tmp_path):

    own = trustme.CA().issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    (tmp_path / "ca.pem").write_text("nothing")
    tls = 'certificate = "cert.pem"\nkey = "key.pem"\nca = "ca.pem"\n'
    error = refused(tmp_path, SOURCE + "[mllp]\nport = 1\n" + tls)
    assert error.key == "mllp.ca"


async def test_the_kind_is_found_by_its_name(tmp_path):
    path = tmp_path / "source.toml"
    path.write_text(SOURCE)
    adapter = open_source(path, in_folder(tmp_path))
    assert "hl7v2" in KINDS
    assert adapter.profile.adapter == "hl7v2/1"
    assert "https://fhir.nhs.uk/Id/nhs-number" in adapter.profile.identifier_systems
    await adapter.aclose()


def test_an_open_network_takes_a_word_of_its_own(tmp_path):
    path = tmp_path / "source.toml"
    path.write_text(SOURCE + '[mllp]\nport = 1\nhost = "0.0.0.0"\nunencrypted = true\n')
    build(path, in_folder(tmp_path))


def test_sectors_name_visits_and_bookings():
    assert outpatient_kind("social-care") == "encounter"
    assert appointment_kind("mental-health") == "appointment"


def test_what_arrives_needs_a_directory():
    tables = tomllib.loads(NO_DIRECTORY + "[mllp]\nport = 0\n")
    arrival = Sftp.model_construct(kind="sftp")
    with pytest.raises(ValidationError, match="somewhere to lie"):
        Hl7v2File.model_validate(tables | {"arrival": arrival})
