"""The committed OpenAPI document is the app's own."""

import json

from gateway.api.document import as_text, openapi_of
from gateway.app import routes
from tests.corpus import ROOT
from tests.laws.routes import OPEN, REGISTRY, undecided


def test_the_committed_document_is_the_apps():
    committed = (ROOT / "openapi/openapi.json").read_text("utf-8")
    assert committed == as_text(openapi_of(routes())), "run: make openapi"


def test_the_written_list_of_routes_names_only_routes_there_are():
    document = json.loads((ROOT / "openapi/openapi.json").read_text("utf-8"))
    there_are = set(document["paths"]) | {"/openapi.json"}
    assert there_are >= OPEN | REGISTRY


def test_every_other_route_decides():
    assert undecided(ROOT) == []
