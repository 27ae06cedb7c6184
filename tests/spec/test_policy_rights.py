"""Who may do what to policy: every route against every scope and organisation."""

import pytest
import pytest_asyncio

from gateway.api.document import openapi_of
from gateway.app import routes
from tests.administering import (
    BASE,
    HOSPITAL,
    SCOPES,
    SURGERY,
    administering,
    agreement,
    rules,
    write_policy_gateway,
)
from tests.gateways import RECIPIENT, code_of, running, write_gateway

# One gateway for all of them: what is refused leaves nothing behind.
pytestmark = pytest.mark.asyncio(loop_scope="module")

READ, WRITE, APPROVE = "policy:read", "policy:write", "policy:approve"
OF_A_DOCUMENT = {
    ("GET", "/{document_id}"): READ,
    ("GET", "/{document_id}/versions"): READ,
    ("GET", "/{document_id}/versions/{number}"): READ,
    ("PUT", "/{document_id}"): WRITE,
    ("DELETE", "/{document_id}"): WRITE,
    ("POST", "/{document_id}/submit"): WRITE,
    ("POST", "/{document_id}/rollback"): WRITE,
    ("POST", "/{document_id}/approve"): APPROVE,
    ("POST", "/{document_id}/reject"): APPROVE,
    ("POST", "/{document_id}/suspend"): APPROVE,
    ("POST", "/{document_id}/resume"): APPROVE,
}
NEEDED = {
    ("GET", "/vocabulary"): READ,
    ("GET", "/sets"): READ,
    ("GET", "/sets/active"): READ,
    ("GET", "/sets/{version}"): READ,
    ("POST", "/check"): READ,
    ("POST", "/diff"): READ,
    ("POST", "/what-if"): READ,
    ("POST", "/replay"): READ,
    **{
        (method, f"/{kind}{path}"): scope
        for kind in ("agreements", "local-rules")
        for (method, path), scope in {
            ("GET", ""): READ,
            ("POST", ""): WRITE,
            **OF_A_DOCUMENT,
        }.items()
    },
}
HELD = {"agreements": agreement("DSA-HELD"), "local-rules": rules("LR-HELD")}
ROUTES = [f"{method} {path}" for method, path in NEEDED]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    async with administering(write_policy_gateway(folder)) as desk:
        for path, document in HELD.items():
            writer = desk.person("writer", HOSPITAL)
            assert (await writer.create(f"/{path}", document)).status_code == 201
        yield desk


def filled(path):
    """An address of that form, about the document that the hospital drafted."""
    identity = "DSA-HELD" if path.startswith("/agreements") else "LR-HELD"
    return path.replace("{document_id}", identity).replace("{number}", "1")


async def test_every_route_of_policy_is_in_the_table():
    document = openapi_of(routes())
    there = {
        (method.upper(), path.removeprefix(BASE))
        for path, methods in document["paths"].items()
        if path.startswith(BASE)
        for method in methods
    }
    assert there == set(NEEDED)


@pytest.mark.parametrize("route", ROUTES)
async def test_a_stranger_is_asked_who_they_are(desk, route):
    method, path = route.split(" ")
    response = await desk.client.request(method, BASE + filled(path))
    assert (response.status_code, code_of(response)) == (401, "token-missing")


@pytest.mark.parametrize("route", ROUTES)
async def test_without_its_scope_a_route_is_closed_and_nothing_else_is_read(
    desk, route
):
    method, path = route.split(" ")
    scope = NEEDED[method, path]
    person = desk.person("guardian", HOSPITAL, client=f"no-{scope.replace(':', '-')}")
    response = await person.send(method, filled(path), ["not", "looked", "at"])
    assert (response.status_code, code_of(response)) == (403, "not-permitted")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("other", SCOPES)
async def test_a_route_asks_for_no_other_scope_than_its_own(desk, route, other):
    method, path = route.split(" ")
    if NEEDED[method, path] == other:
        return
    client = f"no-{other.replace(':', '-')}"
    person = desk.person("somebody", SURGERY, client=client)
    response = await person.send(method, filled(path))
    assert code_of(response) != "not-permitted" if response.is_error else True


@pytest.mark.parametrize(
    "route",
    [f"{method} /{kind}{path}" for kind in HELD for method, path in OF_A_DOCUMENT],
)
@pytest.mark.parametrize("organisation", [SURGERY, "Z9C03", RECIPIENT])
async def test_anothers_draft_is_not_there(desk, route, organisation):
    """Catches a draft shown to a party before it was submitted to them."""
    method, path = route.split(" ")
    person = desk.guardian("guardian", organisation)
    kind = path.split("/")[1]
    body = {
        "approve": {"hash": "sha256:" + "0" * 64},
        "resume": {"hash": "sha256:" + "0" * 64},
        "suspend": {"hash": "sha256:" + "0" * 64},
        "rollback": {"version": 1},
    }.get(path.rpartition("/")[2])
    if method == "PUT":
        body = HELD[kind]
    headers = {"If-Match": '"x"', "Idempotency-Key": "k"}
    response = await person.send(method, filled(path), body, headers=headers)
    assert (response.status_code, code_of(response)) == (404, "not-found")


@pytest.mark.parametrize("number", ["0", "2", "-1", "1.0", "x", "9" * 9])
async def test_a_version_that_is_not_there_is_not_found(desk, number):
    person = desk.person("writer", HOSPITAL)
    response = await person.get(f"/agreements/DSA-HELD/versions/{number}")
    assert (response.status_code, code_of(response)) == (404, "not-found")


async def test_a_document_of_the_other_kind_is_not_found(desk):
    person = desk.person("writer", HOSPITAL)
    for path in ("/agreements/LR-HELD", "/local-rules/DSA-HELD"):
        assert (await person.get(path)).status_code == 404


async def test_where_policy_is_in_files_it_is_changed_there(tmp_path):
    path = write_gateway(tmp_path)
    text = path.read_text("utf-8").replace(
        'scopes = ["journey:read"]', 'scopes = ["journey:read", "policy:read"]'
    )
    path.write_text(text, "utf-8")
    async with running(path) as client:
        for route in ("/agreements", "/agreements/DSA-1", "/sets", "/sets/active"):
            response = await client.get(BASE + route)
            assert (response.status_code, code_of(response)) == (409, "conflict")
        assert (await client.get(f"{BASE}/vocabulary")).status_code == 200
