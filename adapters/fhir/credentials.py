"""How a FHIR server is told who asks: by secrets that are only referred to."""

import base64
from collections.abc import Callable, Mapping

from adapters.errors import ConfigurationError, Refused
from adapters.fhir.settings import BasicSettings, BearerSettings

Secret = Callable[[str], str]


class Referred:
    """A token, or a name and password, as they are now: they may have been renewed."""

    def __init__(
        self, settings: BearerSettings | BasicSettings | None, secret: Secret
    ) -> None:
        self._settings = settings
        self._secret = secret

    async def shown(self) -> dict[str, str]:
        """The header. Refused `credentials` if a secret cannot be had."""
        return authorisation(self._settings, self._secret)

    async def renewed(
        self,
        refused: Mapping[str, str],  # noqa: ARG002 - others ask what was refused
    ) -> dict[str, str]:
        """The header as it is by now, which may be the one that was refused."""
        return await self.shown()

    async def aclose(self) -> None: ...


def authorisation(
    auth: BearerSettings | BasicSettings | None, secret: Secret
) -> dict[str, str]:
    """The header, with the secrets as they are now."""
    match auth:
        case None:
            return {}
        case BearerSettings():
            return {"Authorization": f"Bearer {followed(secret, auth.token).strip()}"}
        case BasicSettings():
            given = (auth.username, auth.password)
            pair = ":".join(followed(secret, one).strip() for one in given)
            basic = base64.b64encode(pair.encode()).decode()
            return {"Authorization": f"Basic {basic}"}


def followed(secret: Secret, reference: str | None) -> str:
    """What a reference leads to. Refused `credentials` if it leads to nothing."""
    try:
        return secret(reference or "")
    except ConfigurationError as error:
        raise Refused("credentials", str(error), domain="adapter") from None
