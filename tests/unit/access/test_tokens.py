"""Tokens: who is asking, and the attacks J1 to J8 and J11, each refused alike."""

import json

import pytest
from starlette.datastructures import Headers

from gateway.access.requester import ORGANISATION_HEADER, Relationship
from gateway.problems import RequestError
from tests.configuration import ISSUER, PRODUCTION, TEXT, changed
from tests.tokens import Forged, claims, part, sign, signing_key


def bearer(token, **others):
    return Headers({"Authorization": f"Bearer {token}", **others})


async def refusal(authenticator, headers):
    with pytest.raises(RequestError) as caught:
        await authenticator.authenticate(headers)
    assert str(caught.value) == caught.value.code
    return caught.value.code


async def test_a_right_token_says_who_is_asking(authenticator, clock):
    found = await authenticator().authenticate(bearer(sign(claims(clock))))
    assert (found.issuer, found.subject, found.client_id) == (
        ISSUER,
        "user-1",
        "demo-app",
    )
    assert (found.organisation, found.role, found.assurance) == (
        "Z9A01",
        "doctor",
        "aal2",
    )
    assert (found.kind, found.relationships) == ("user", ())
    assert "user-1" not in repr(found)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256", "RS256", "Ed25519"])
async def test_every_listed_algorithm_verifies(authenticator, clock, algorithm):
    key = signing_key(algorithm)
    text = changed('["ES256"]', f'["{algorithm}"]')
    found = await authenticator(text, key).authenticate(
        bearer(sign(claims(clock), key))
    )
    assert found.role == "doctor"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_without_case(authenticator, clock, scheme):
    headers = Headers({"Authorization": f"{scheme} {sign(claims(clock))}"})
    assert (await authenticator().authenticate(headers)).client_id == "demo-app"


@pytest.mark.parametrize(
    "header", ["", "Basic eDp5", "Bearer", "Bearer  ", "Bearer a b"]
)
async def test_without_a_bearer_token_one_is_asked_for(authenticator, header):
    headers = Headers({"Authorization": header} if header else {})
    assert await refusal(authenticator(), headers) == "token-missing"


async def test_two_tokens_are_none(authenticator, clock):
    token = sign(claims(clock)).encode()
    headers = Headers(raw=[(b"authorization", b"Bearer " + token)] * 2)
    assert await refusal(authenticator(), headers) == "duplicate-header"


async def test_the_token_narrows_the_clients_purposes_and_scopes(authenticator, clock):
    ask = authenticator().authenticate
    wide = claims(clock, purposes=["direct-care", "service-planning"], scope="a b")
    found = await ask(bearer(sign(wide)))
    assert found.purposes == {"direct-care"}
    assert found.scopes == set()
    assert found.purpose_allowed("direct-care")
    assert not found.purpose_allowed("research")
    assert not found.purpose_allowed("direct-car")
    silent = claims(clock, purposes=..., scope=...)
    found = await ask(bearer(sign(silent)))
    assert found.purposes == {"direct-care", "research"}
    assert found.scopes == {"journey:read", "population:read"}
    found.require("journey:read")
    with pytest.raises(RequestError, match="not-permitted"):
        found.require("audit:read")


async def test_a_token_that_names_no_purpose_at_all_has_none(authenticator, clock):
    found = await authenticator().authenticate(bearer(sign(claims(clock, purposes=[]))))
    assert found.purposes == set()


@pytest.mark.parametrize("aal", [..., "aal4", "AAL2", ["aal2"], 2, None])
async def test_an_assurance_we_do_not_know_is_unknown(authenticator, clock, aal):
    found = await authenticator().authenticate(bearer(sign(claims(clock, aal=aal))))
    assert found.assurance is None


@pytest.mark.parametrize(
    ("named", "asked", "acts_for"),
    [
        ("Z9A01", None, "Z9A01"),
        (["Z9A01"], None, "Z9A01"),
        (["Z9A01", "Z9A01"], None, "Z9A01"),
        (["Z9A01", "Z9B02"], "Z9B02", "Z9B02"),
        ("Z9A01", "Z9A01", "Z9A01"),
    ],
)
async def test_the_organisation_is_one_of_the_tokens(
    authenticator, clock, named, asked, acts_for
):
    others = {ORGANISATION_HEADER: asked} if asked else {}
    headers = bearer(sign(claims(clock, organisation=named)), **others)
    assert (await authenticator().authenticate(headers)).organisation == acts_for


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        (["Z9A01", "Z9B02"], None),
        ([], None),
        ("Z9A01", "Z9B02"),
        ("Z9A01", "z9a01"),
        ("Z9A01", "Z9A"),
        ("Z9A01", "Z9A01, Z9B02"),
    ],
)
async def test_an_organisation_that_is_not_the_tokens_is_a_mismatch(
    authenticator, clock, named, asked
):
    others = {ORGANISATION_HEADER: asked} if asked else {}
    headers = bearer(sign(claims(clock, organisation=named)), **others)
    assert await refusal(authenticator(), headers) == "organisation-mismatch"


async def test_the_organisation_named_twice_is_refused(authenticator, clock):
    token = sign(claims(clock)).encode()
    name = ORGANISATION_HEADER.lower().encode()
    headers = Headers(
        raw=[(b"authorization", b"Bearer " + token), (name, b"Z9A01"), (name, b"Z9A01")]
    )
    assert await refusal(authenticator(), headers) == "duplicate-header"


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "other-app"},
        {"role": "administrator"},
        {"role": "Doctor"},
        {"organisation": "Z9C03"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_what_is_not_registered_is_not_permitted(authenticator, clock, change):
    """J11: another organisation's app, another role, an unknown client."""
    headers = bearer(sign(claims(clock, **change)))
    assert await refusal(authenticator(), headers) == "not-permitted"


async def test_a_relationship_may_be_asserted_to_the_demo_issuer(authenticator, clock):
    one = {"kind": "active-encounter", "organisation": "Z9B02"}
    expected = Relationship(kind="active-encounter", organisation="Z9B02")
    for said in (one, [one]):
        token = sign(claims(clock, relationship=said))
        found = await authenticator().authenticate(bearer(token))
        assert found.relationships == (expected,)


async def test_a_relationship_asserted_to_any_other_issuer_is_not_heard(
    authenticator, clock
):
    issuer = "https://issuer.example.invalid"
    one = {"kind": "active-encounter", "organisation": "Z9B02"}
    token = sign(claims(clock, iss=issuer, relationship=one))
    found = await authenticator(PRODUCTION).authenticate(bearer(token))
    assert found.relationships == ()


@pytest.mark.parametrize(
    "said",
    [
        "registered",
        [1],
        {"kind": "registered"},
        {"kind": "registered", "organisation": "Z9A01", "person": "x"},
        {"kind": 1, "organisation": "Z9A01"},
    ],
)
async def test_a_misshapen_relationship_spoils_the_token(authenticator, clock, said):
    headers = bearer(sign(claims(clock, relationship=said)))
    assert await refusal(authenticator(), headers) == "token-invalid"


def system(text=TEXT):
    return changed('class = "user"', 'class = "system"', text)


async def test_a_system_is_its_own_subject(authenticator, clock):
    headers = bearer(sign(claims(clock, sub="demo-app")))
    assert (await authenticator(system()).authenticate(headers)).kind == "system"


async def test_a_system_may_not_pass_for_a_user_nor_a_user_for_a_system(
    authenticator, clock
):
    """J11: a system's token where a user's is wanted."""
    own = bearer(sign(claims(clock, sub="demo-app")))
    assert await refusal(authenticator(), own) == "token-invalid"
    users = bearer(sign(claims(clock)))
    assert await refusal(authenticator(system()), users) == "token-invalid"


TIMES = {
    "expired": {"exp": -31},
    "just expired": {"iat": -630, "exp": -30},
    "issued in the future": {"iat": 31},
    "valid in the future": {"nbf": 31},
    "lives too long": {"exp": 3601},
    "lives no time": {"exp": 0, "iat": 0},
    "expires before it was issued": {"iat": 20, "exp": 10},
}


@pytest.mark.parametrize("moved", TIMES.values(), ids=TIMES)
async def test_a_token_out_of_its_time_is_refused(authenticator, clock, moved):
    """J5."""
    now = int(clock.now().timestamp())
    times = {name: now + seconds for name, seconds in moved.items()}
    headers = bearer(sign(claims(clock, **times)))
    assert await refusal(authenticator(), headers) == "token-invalid"


async def test_clocks_may_differ_by_the_leeway(authenticator, clock):
    now = int(clock.now().timestamp())
    for times in (
        {"exp": now - 29, "iat": now - 600},
        {"iat": now + 30, "nbf": now + 30, "exp": now + 60},
        {"exp": now + 3600.0, "nbf": now - 10.5},
    ):
        headers = bearer(sign(claims(clock, **times)))
        assert (await authenticator().authenticate(headers)).role == "doctor"


CLAIMS = {
    "another audience": {"aud": "other"},
    "a list of audiences": {"aud": ["throughline", "other"]},
    "an empty list of audiences": {"aud": []},
    "an audience that only begins alike": {"aud": "throughline2"},
    "another issuer": {"iss": "urn:other"},
    "an issuer with a slash": {"iss": ISSUER + "/"},
    "an issuer that is a list": {"iss": [ISSUER]},
    "no issuer": {"iss": ...},
    "no audience": {"aud": ...},
    "no subject": {"sub": ...},
    "no client": {"client_id": ...},
    "no id": {"jti": ...},
    "no role": {"role": ...},
    "no organisation": {"organisation": ...},
    "no issue": {"iat": ...},
    "no expiry": {"exp": ...},
    "an expiry as text": {"exp": "9999999999"},
    "an expiry that is true": {"exp": True},
    "an expiry at the end of time": {"exp": 10**18},
    "a negative issue": {"iat": -1},
    "a start that is null": {"nbf": None},
    "a subject that is a number": {"sub": 7},
    "an empty subject": {"sub": ""},
    "a subject with a line end": {"sub": "a\nb"},
    "an NHS number as subject": {"sub": "9990000018"},
    "a subject too long": {"sub": "x" * 256},
    "roles in a list": {"role": ["doctor"]},
    "purposes as text": {"purposes": "direct-care"},
    "purposes that are null": {"purposes": None},
    "a purpose that is a number": {"purposes": [1]},
    "scopes in a list": {"scope": ["journey:read"]},
    "organisations that are numbers": {"organisation": [1]},
    "bound to a certificate": {"cnf": {"x5t#S256": "abc"}},
}


@pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS)
async def test_a_token_with_wrong_claims_is_refused(authenticator, clock, change):
    """J5, J12 as far as it goes without certificates."""
    headers = bearer(sign(claims(clock, **change)))
    assert await refusal(authenticator(), headers) == "token-invalid"


async def test_an_audience_alone_in_a_list_is_that_audience(authenticator, clock):
    headers = bearer(sign(claims(clock, aud=["throughline"])))
    assert (await authenticator().authenticate(headers)).role == "doctor"


HEADER = {"alg": "ES256", "kid": "k1", "typ": "JWT"}


HMAC_KEY = json.dumps(signing_key().as_dict(private=False)).encode()


def headed(said, **changes):
    """A token rightly signed under a header with these changes."""
    fields = {**HEADER, **changes}
    kept = {name: value for name, value in fields.items() if value is not ...}
    return str(Forged(header=kept, payload=said, key=signing_key()))


def wrong_algorithms(said):
    head, body, _ = sign(said).split(".")

    def unsigned(alg):
        return str(Forged(header={**HEADER, "alg": alg}, payload=said))

    return {
        "J1 none": unsigned("none"),
        "J1 nOnE": unsigned("nOnE"),
        "J1 empty alg": unsigned(""),
        "J1 no signature": f"{head}.{body}.",
        "J1 two parts": f"{head}.{body}",
        "J2 HS256 with the public key": str(
            Forged(header={**HEADER, "alg": "HS256"}, payload=said, secret=HMAC_KEY)
        ),
        "J2 another listed family": str(
            Forged(
                header={**HEADER, "alg": "RS256"},
                payload=said,
                key=signing_key("RS256"),
            )
        ),
        "J2 EdDSA, deprecated": headed(said, alg="EdDSA"),
    }


def wrong_keys(said):
    other = signing_key(kid="k2").as_dict(private=False)
    return {
        "J3 kid traversal": headed(said, kid="../../keys/k1"),
        "J3 kid SQL": headed(said, kid="k1' OR '1'='1"),
        "J3 kid of 200": headed(said, kid="k" * 200),
        "J3 kid empty": headed(said, kid=""),
        "J3 kid null": headed(said, kid=None),
        "J3 kid a list": headed(said, kid=["k1"]),
        "J3 kid with a line end": headed(said, kid="k1\n"),
        "J3 no kid": headed(said, kid=...),
        "J3 unknown kid": headed(said, kid="k9"),
        "J4 jku": headed(said, jku="https://evil.example.invalid/jwks"),
        "J4 x5u": headed(said, x5u="https://evil.example.invalid/x"),
        "J4 jwk": headed(said, jwk=other),
        "J4 x5c": headed(said, x5c=["AAAA"]),
    }


def wrong_shapes(said):
    key, token, text = signing_key(), sign(said), json.dumps(said)
    head, body, signature = token.split(".")
    return {
        "J6 duplicate claim": sign(text.replace("{", '{"role":"nurse",', 1).encode()),
        "J6 duplicate header": str(
            Forged(
                header=b'{"alg":"none","alg":"ES256","kid":"k1"}', payload=said, key=key
            )
        ),
        "J6 NaN": sign(text.replace("{", '{"x":NaN,', 1).encode()),
        "J7 five parts": f"{head}.{body}.{signature}.{body}.{signature}",
        "J7 nested": sign(token.encode()),
        "J7 crit": headed(said, crit=["exp"], exp=1),
        "J7 b64": headed(said, b64=False, crit=["b64"]),
        "J7 cty": headed(said, cty="JWT"),
        "J7 zip": headed(said, zip="DEF"),
        "J7 typ of another kind": headed(said, typ="dpop+jwt"),
        "J7 typ null": headed(said, typ=None),
        "J8 16 KB": sign(dict(said, padding="x" * 16_384)),
    }


def wrong_bytes(said):
    key, other = signing_key(), signing_key(kid="k2")
    head, body, signature = sign(said).split(".")
    return {
        "signed by another key of that kid": str(
            Forged(header=HEADER, payload=said, key=other)
        ),
        "signed by a key not published": sign(said, other),
        "a changed claim": f"{head}.{part(dict(said, role='nurse'))}.{signature}",
        "a changed signature": f"{head}.{body}.{'A' * len(signature)}",
        "padded": f"{head}=.{body}.{signature}",
        "standard base64": f"{head}.{body}.{signature[:-2]}+/",
        "loose bits": f"{head}.{body}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}",
        "a part of one over four": f"{head}.{body}.{signature}AAA",
        "claims that are a list": sign(b"[]"),
        "claims too deep": sign(b'{"a":' * 20 + b"1" + b"}" * 20),
        "claims not UTF-8": sign(b'{"a":"\xff"}'),
        "header a list": str(Forged(header=[], payload=said, key=key)),
    }


def forged(clock):
    said = claims(clock)
    return {
        **wrong_algorithms(said),
        **wrong_keys(said),
        **wrong_shapes(said),
        **wrong_bytes(said),
    }


ATTACKS = [
    "J1 none",
    "J1 nOnE",
    "J1 empty alg",
    "J1 no signature",
    "J1 two parts",
    "J2 HS256 with the public key",
    "J2 another listed family",
    "J2 EdDSA, deprecated",
    "J3 kid traversal",
    "J3 kid SQL",
    "J3 kid of 200",
    "J3 kid empty",
    "J3 kid null",
    "J3 kid a list",
    "J3 kid with a line end",
    "J3 no kid",
    "J3 unknown kid",
    "J4 jku",
    "J4 x5u",
    "J4 jwk",
    "J4 x5c",
    "J6 duplicate claim",
    "J6 duplicate header",
    "J6 NaN",
    "J7 five parts",
    "J7 nested",
    "J7 crit",
    "J7 b64",
    "J7 cty",
    "J7 zip",
    "J7 typ of another kind",
    "J7 typ null",
    "J8 16 KB",
    "signed by another key of that kid",
    "signed by a key not published",
    "a changed claim",
    "a changed signature",
    "padded",
    "standard base64",
    "loose bits",
    "a part of one over four",
    "claims that are a list",
    "claims too deep",
    "claims not UTF-8",
    "header a list",
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_token_is_refused_like_any_other(authenticator, clock, attack):
    every = forged(clock)
    assert set(every) == set(ATTACKS)
    headers = bearer(every[attack])
    assert await refusal(authenticator(), headers) == "token-invalid"


async def test_a_kid_of_a_megabyte_is_refused_by_its_size(authenticator, clock):
    """J3."""
    headers = bearer(f"{part({**HEADER, 'kid': 'k' * 10**6})}.e30.e30")
    assert await refusal(authenticator(), headers) == "token-invalid"


@pytest.mark.parametrize("typ", ["jwt", "at+jwt", ...])
async def test_the_type_of_a_token_is_read_without_case_and_may_be_absent(
    authenticator, clock, typ
):
    fields = {**HEADER, "typ": typ}
    kept = {name: value for name, value in fields.items() if value is not ...}
    token = str(Forged(header=kept, payload=claims(clock), key=signing_key()))
    assert (await authenticator().authenticate(bearer(token))).role == "doctor"


@pytest.mark.parametrize(
    "mark", [{"use": "enc"}, {"alg": "ES384"}, {"key_ops": ["sign"]}, {"crv": "P-384"}]
)
async def test_a_key_not_meant_for_it_verifies_nothing(
    authenticator, clock, tmp_path, mark
):
    asked = authenticator()
    key = signing_key().as_dict(private=False) | mark
    (tmp_path / "keys" / "demo-jwks.json").write_text(json.dumps({"keys": [key]}))
    headers = bearer(sign(claims(clock)))
    assert await refusal(asked, headers) == "token-invalid"


async def test_a_revoked_key_is_dead_at_once(authenticator, clock):
    text = changed("leeway_s = 30", 'leeway_s = 30\nrevoked_kids = ["k1"]')
    headers = bearer(sign(claims(clock)))
    assert await refusal(authenticator(text), headers) == "token-invalid"
