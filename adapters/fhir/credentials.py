"""How a FHIR server is told who asks: by secrets that are only referred to."""

import base64
from collections.abc import Callable

from adapters.fhir.settings import AuthSettings


def authorisation(
    auth: AuthSettings | None, secret: Callable[[str], str]
) -> dict[str, str]:
    """The header, with the secrets as they are now: they may have been renewed."""
    if auth is None:
        return {}
    if auth.token is not None:
        return {"Authorization": f"Bearer {secret(auth.token).strip()}"}
    given = (auth.username or "", auth.password or "")
    pair = ":".join(secret(reference).strip() for reference in given)
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
