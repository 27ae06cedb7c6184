"""How a FHIR server is told who asks: by secrets that are only referred to."""

import base64
from collections.abc import Callable

from adapters.fhir.settings import Basic, Bearer


def authorisation(
    auth: Bearer | Basic | None, secret: Callable[[str], str]
) -> dict[str, str]:
    """The header, with the secrets as they are now: they may have been renewed."""
    match auth:
        case None:
            return {}
        case Bearer():
            return {"Authorization": f"Bearer {secret(auth.token).strip()}"}
        case Basic():
            pair = f"{secret(auth.username).strip()}:{secret(auth.password).strip()}"
            coded = base64.b64encode(pair.encode()).decode()
            return {"Authorization": f"Basic {coded}"}
