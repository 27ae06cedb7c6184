"""The demo's policy is read by the same reader as everyone's, and is signed by all."""

from datetime import date

import yaml

from adapters.vocabulary import CATEGORIES
from gateway.demo import agreements
from gateway.demo.chronicle import ORGANISATIONS
from policies.documents import Agreement, content_hash, parse_document

TODAY = date(2026, 11, 23)


def read(values):
    text = agreements.as_yaml(tuple(values))
    return [
        parse_document(data, where="demo")
        for data in yaml.load_all(text, Loader=yaml.BaseLoader)
    ]


def test_the_agreement_covers_every_category_of_all_six_today():
    agreement = read(agreements.documents(TODAY))[0]
    assert isinstance(agreement, Agreement)
    codes = {organisation.ods for organisation in ORGANISATIONS}
    assert set(agreement.parties.providers) == codes
    assert set(agreement.parties.recipients) == codes
    assert agreement.clauses[0].categories == CATEGORIES
    assert agreement.valid.from_ < TODAY < agreement.valid.through


def test_all_six_signed_the_text_as_it_is_read_back():
    agreement = read(agreements.documents(TODAY))[0]
    signed = read(agreements.signatures(TODAY))
    assert {one.organisation for one in signed} == {o.ods for o in ORGANISATIONS}
    assert {one.hash for one in signed} == {content_hash(agreement)}
    assert {one.document for one in signed} == {agreement.id}
