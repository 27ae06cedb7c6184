"""An authorisation server of ours, for tests: it verifies what it is shown.

    async with authority(NOW) as asked:
        settings = asked.settings(folder, algorithm="ES384")

It holds public keys by kid, takes an assertion once, and gives tokens that a
`Guarded` FHIR server lets in while they are `valid`. It may misbehave.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey

from tests.stub_fhir import StubFhir

CLIENT = "throughline-z9a01"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS384", "RS512", "PS256", "ES256", "ES384", "Ed25519"]
Key = ECKey | OKPKey | RSAKey


def key_for(algorithm, *, kid="k1") -> Key:
    """A new private key that fits the algorithm; its public half is `public_of` it."""
    named: KeyParameters = {"kid": kid}
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", named)
        case "ES384":
            return ECKey.generate_key("P-384", named)
        case "Ed25519":
            return OKPKey.generate_key("Ed25519", named)
        case _:
            return RSAKey.generate_key(2048, named)


def pem_of(key: Key) -> str:
    return key.as_pem(private=True).decode()


def jwk_of(key: Key) -> str:
    return json.dumps(key.as_dict(private=True))


@dataclass(kw_only=True)
class Authority:
    """What it knows, what it was asked, and how it misbehaves."""

    now: datetime
    uri: str = ""
    keys: dict[str, Key] = field(default_factory=dict)
    secret: str | None = None
    audience: str | None = None
    lasts_s: object = 300
    requests: int = 0
    valid: set[str] = field(default_factory=set)
    scopes: list[str | None] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    # How it misbehaves.
    delay_s: float = 0.0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cuts: int = 0  # how many requests it takes, and answers by hanging up
    lets_in: bool = True  # whether its tokens are any good

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {max(self.valid)}"}

    def settings(self, key="env:KEY", **more: str) -> str:
        """The [auth] table of a source file."""
        table = {
            "kind": "oauth2", "token_url": self.uri, "client_id": CLIENT,
            "key": key, "algorithm": "ES384", "kid": "k1", **more,
        }  # fmt: skip
        lines = [f'{name} = "{value}"' for name, value in table.items() if value]
        return "\n".join(["[auth]", *lines, ""])

    def revoke(self) -> None:
        self.valid.clear()

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        form = {name: str(value) for name, value in (await request.post()).items()}
        await asyncio.sleep(self.delay_s)
        if self.cuts:
            self.cuts -= 1
            if form.get("client_assertion"):
                self._why_not(form, request)  # it has taken note of it
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.body is not None or self.status != 200:
            return web.Response(
                status=self.status, body=self.body or b"", headers=self.headers
            )
        if why := self._why_not(form, request):
            self.refusals.append(why)
            error = {"error": "invalid_client", "error_description": "Upstream words."}
            return web.json_response(error, status=401)
        self.scopes.append(form.get("scope"))
        token = f"token-{self.requests:03}"
        if self.lets_in:
            self.valid.add(token)
        told: dict[str, object] = {"access_token": token, "token_type": "bearer"}
        if self.lasts_s is not None:
            told["expires_in"] = self.lasts_s
        return web.json_response(told)

    def _why_not(self, form, request) -> str | None:
        if form.get("grant_type") != "client_credentials":
            return "grant_type"
        if self.secret is not None:
            return None if self._shows_secret(form, request) else "secret"
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return "assertion_type"
        return self._unproven(form.get("client_assertion", ""))

    def _shows_secret(self, form, request) -> bool:
        told = [form.get("client_id"), form.get("client_secret")]
        if basic := request.headers.get("Authorization", ""):
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().split(":")
            told = [unquote_plus(one) for one in pair]
        return told == [CLIENT, self.secret]

    def _unproven(self, assertion: str) -> str | None:
        """What is wrong with it, by RFC 7523 §3 and SMART Backend Services."""
        try:
            header = jws.extract_compact(assertion.encode()).headers()
            key = self.keys.get(header.get("kid", ""))
            if key is None:
                return "kid"
            claims = jwt.decode(assertion, key, algorithms=ALGORITHMS).claims
            now = int(self.now.timestamp())
            jwt.JWTClaimsRegistry(
                now=lambda: now,
                iss={"essential": True, "value": CLIENT},
                sub={"essential": True, "value": CLIENT},
                aud={"essential": True, "value": self.audience or self.uri},
                exp={"essential": True},
                jti={"essential": True},
            ).validate(claims)
        except JoseError as error:
            return error.error
        if claims["exp"] > now + 300:
            return "exp"
        if claims["jti"] in self.seen:
            return "jti"
        self.seen.add(claims["jti"])
        return None


class Guarded(StubFhir):
    """A FHIR server that answers those whom an authority let in."""

    def __init__(self, resources, who: Authority, **more):
        super().__init__(resources, **more)
        self._who = who
        self.refused = 0

    async def _reply(self, asked):
        shown = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if shown not in self._who.valid:
            self.refused += 1
            return 401, "application/fhir+json", b"{}"
        return await super()._reply(asked)


@asynccontextmanager
async def authority(
    now: datetime, *, tls: ssl.SSLContext | None = None, keys: tuple[Key, ...] = ()
) -> AsyncIterator[Authority]:
    """A running server, which knows the public halves of these keys."""
    asked = Authority(now=now)
    for key in keys:
        asked.keys[str(key.kid)] = type(key).import_key(key.as_dict(private=False))
    app = web.Application()
    app.router.add_post("/token", asked.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    asked.uri = f"{'https' if tls else 'http'}://127.0.0.1:{port}/token"
    try:
        yield asked
    finally:
        await runner.cleanup()
