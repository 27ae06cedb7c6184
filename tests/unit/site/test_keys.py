"""Documents of keys: what is one, and what of it is refused."""

import json

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from adapters.site.keys import NotKeys, made_keys, own_keys, pinned_keys

PRIVATE, PUBLIC = made_keys()


def keys(*entries, of=PUBLIC):
    """The document with further keys."""
    return json.dumps({"keys": [*json.loads(of)["keys"], *entries]})


def key(made, **names):
    return {**made.as_dict(private=False), "kid": "k", "use": "sig", **names}


def test_the_first_key_of_each_use_is_in_use_and_the_others_are_good():
    later = json.loads(made_keys()[1])["keys"]
    found = pinned_keys(json.dumps({"keys": [*later, *json.loads(PUBLIC)["keys"]]}))
    assert found.signs.kid == later[0]["kid"]
    assert found.seals.kid == later[1]["kid"]
    assert len(found.signing) == len(found.sealing) == 2


@pytest.mark.parametrize(
    ("made", "use", "algorithm"),
    [
        (ECKey.generate_key("P-256"), "sig", "ES256"),
        (OKPKey.generate_key("Ed25519"), "sig", "Ed25519"),
        (ECKey.generate_key("P-256"), "enc", "ECDH-ES+A256KW"),
        (OKPKey.generate_key("X25519"), "enc", "ECDH-ES+A256KW"),
    ],
)
def test_a_key_is_used_with_one_algorithm(made, use, algorithm):
    found = pinned_keys(keys(key(made, use=use)))
    every = {**found.signing, **found.sealing}
    assert every["k"].algorithm == algorithm


NO_DOCUMENTS = {
    "nothing": "",
    "no JSON": "{",
    "a list": "[]",
    "no keys": "{}",
    "keys that are none": '{"keys": 1}',
    "none of them": '{"keys": []}',
    "a name twice": '{"keys": [], "keys": []}',
    "no key": '{"keys": [1]}',
    "too many": json.dumps({"keys": [{}] * 21}),
    "too long": json.dumps({"keys": [], "more": "x" * 70_000}),
    "too deep": "[" * 60_000,
    "one of a use alone": json.dumps({"keys": json.loads(PUBLIC)["keys"][:1]}),
    "two of one kid": keys(json.loads(PUBLIC)["keys"][0]),
    "a secret": keys(
        {**OctKey.generate_key(256).as_dict(), "kid": "k", "use": "sig", "d": ""}
    ),
    "another curve": keys(key(ECKey.generate_key("P-384"))),
    "another type": keys(key(RSAKey.generate_key(2048))),
    "another use": keys(key(ECKey.generate_key("P-256"), use="both")),
    "no use": keys(key(ECKey.generate_key("P-256"), use=None)),
    "no kid": keys(key(ECKey.generate_key("P-256"), kid="")),
    "a kid that is a path": keys(key(ECKey.generate_key("P-256"), kid="../k")),
    "a long kid": keys(key(ECKey.generate_key("P-256"), kid="k" * 129)),
    "a kid that is a number": keys(key(ECKey.generate_key("P-256"), kid=1)),
    "a point on no curve": keys(key(ECKey.generate_key("P-256"), x="AQ")),
    "a coordinate that is none": keys(key(ECKey.generate_key("P-256"), x=5)),
}


@pytest.mark.parametrize("text", NO_DOCUMENTS.values(), ids=list(NO_DOCUMENTS))
def test_what_is_no_document_of_keys_is_refused(text):
    with pytest.raises(NotKeys) as caught:
        pinned_keys(text)
    assert str(caught.value).endswith((".", "20."))


def test_private_and_public_are_not_taken_for_each_other():
    with pytest.raises(NotKeys, match="private"):
        pinned_keys(PRIVATE)
    with pytest.raises(NotKeys, match="public"):
        own_keys(PUBLIC)


def test_no_key_stands_in_a_repr():
    secret = json.loads(PRIVATE)["keys"][0]["d"]
    assert secret not in repr(own_keys(PRIVATE))
