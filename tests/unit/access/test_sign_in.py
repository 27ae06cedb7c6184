"""Who a person is in their organisation, and how lately they proved to be it."""

from datetime import timedelta

import pytest
from starlette.datastructures import Headers

from gateway.access.sign_in import RECENT, require_recent_sign_in
from gateway.problems import RequestError, problem_response
from tests.configuration import TEXT, changed
from tests.houses import NOW, doctor
from tests.tokens import claims, sign

REGISTERED = changed(
    'scopes = ["journey:read", "population:read"]',
    'scopes = ["journey:read"]\ncapacities = ["caldicott"]',
)


async def found(authenticator, clock, text=REGISTERED, **said):
    headers = Headers({"Authorization": f"Bearer {sign(claims(clock, **said))}"})
    return await authenticator(text).authenticate(headers)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({}, set()),
        ({"capacities": []}, set()),
        ({"capacities": ["caldicott"]}, {"caldicott"}),
        ({"capacities": ["caldicott", "chief"]}, {"caldicott"}),
        ({"capacities": ["Caldicott"]}, set()),
    ],
)
async def test_a_capacity_counts_if_token_and_registry_both_name_it(
    authenticator, clock, said, counts
):
    """Catches a capacity granted to every person of a client, as purposes are."""
    assert (await found(authenticator, clock, **said)).capacities == counts


async def test_a_capacity_that_no_registry_names_counts_for_nothing(
    authenticator, clock
):
    told = await found(authenticator, clock, TEXT, capacities=["caldicott"])
    assert told.capacities == set()


@pytest.mark.parametrize("wrong", ["caldicott", [1], [""], {"caldicott": True}, None])
async def test_capacities_that_are_no_list_of_codes_spoil_the_token(
    authenticator, clock, wrong
):
    with pytest.raises(RequestError, match="token-invalid"):
        await found(authenticator, clock, capacities=wrong)


async def test_the_time_of_the_sign_in_is_read(authenticator, clock):
    at = clock.now() - timedelta(minutes=3)
    told = await found(authenticator, clock, auth_time=int(at.timestamp()))
    assert told.signed_in_at == at
    assert (await found(authenticator, clock)).signed_in_at is None


@pytest.mark.parametrize("wrong", ["now", True, None, -1, 2**60, [1]])
async def test_a_time_that_is_none_spoils_the_token(authenticator, clock, wrong):
    with pytest.raises(RequestError, match="token-invalid"):
        await found(authenticator, clock, auth_time=wrong)


@pytest.mark.parametrize(("ahead", "taken"), [(29, True), (31, False)])
async def test_a_sign_in_to_come_is_none(authenticator, clock, ahead, taken):
    at = int(clock.now().timestamp()) + ahead
    if taken:
        assert (await found(authenticator, clock, auth_time=at)).signed_in_at
    else:
        with pytest.raises(RequestError, match="token-invalid"):
            await found(authenticator, clock, auth_time=at)


@pytest.mark.parametrize("ago", [timedelta(), RECENT, timedelta(seconds=-20)])
def test_a_recent_sign_in_is_enough(ago):
    require_recent_sign_in(doctor(signed_in_at=NOW - ago), now=NOW)


@pytest.mark.parametrize("at", [None, NOW - RECENT - timedelta(seconds=1)])
def test_an_old_or_untold_sign_in_is_asked_for_again(at):
    with pytest.raises(RequestError) as refused:
        require_recent_sign_in(doctor(signed_in_at=at), now=NOW)
    assert refused.value.code == "reauthentication-needed"
    response = problem_response(refused.value, None)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == (
        'Bearer error="insufficient_user_authentication", max_age=300'
    )


def test_a_system_signs_in_never():
    with pytest.raises(RequestError, match="not-permitted"):
        require_recent_sign_in(doctor(kind="system", signed_in_at=NOW), now=NOW)
