"""Connecting an integration of an app by OAuth: from the button to the credentials."""

from __future__ import annotations

import msgspec

from cpsl.errors import InvalidRequest
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.integrations import oauth
from cpsl.gateway.integrations.oauth import Grant, OAuthRefused
from cpsl.gateway.integrations.service import declared
from cpsl.gateway.integrations.states import Begun, States
from cpsl.gateway.integrations.tokens import Clients

PURPOSE = "connect"


class Asking(msgspec.Struct, frozen=True):
    """Who connects what: a user of a version, from a prompt or from the app's own page, in one browser.

    ``browser`` is what only this browser has; ``origin`` and ``return_to`` say where its pages are.
    """

    version: VersionRef
    app_user_id: str
    integration: str
    browser: str
    origin: str
    return_to: str
    turn_id: str | None = None
    prompt_id: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a provider sent a browser back with (RFC 6749 §4.1.2, RFC 9207). The repr leaves out the code."""

    state: str = ""
    code: str = ""
    error: str = ""
    iss: str = ""

    def __repr__(self) -> str:
        return f"Answer(error={self.error!r}, iss={self.iss!r})"


class Connected(msgspec.Struct):
    """A user came back and has granted something: to be kept, and told to the prompts that wait for it."""

    version: VersionRef
    app_user_id: str
    integration: str
    grant: Grant
    turn_id: str | None
    prompt_id: str | None


class Flows:
    """Sign-ins at providers for the integrations of apps."""

    def __init__(self, apps: Apps, states: States, clients: Clients) -> None:
        self._apps = apps
        self._states = states
        self._clients = clients

    async def begin(self, asking: Asking) -> str:
        """The URL at the provider where the user agrees, or not. Raises InvalidRequest, NotFound (a secret)."""
        integration = declared(asking.version.spec, asking.integration)
        if integration.mode != "oauth":
            raise InvalidRequest(f"{asking.integration} is a form", code="invalid_prompt_answer")
        client = await self._clients.of(asking.version, integration)
        begun = Begun(
            app_id=asking.version.app_id,
            workspace_id=asking.version.workspace_id,
            provider=asking.integration,
            purpose=PURPOSE,
            browser=asking.browser,
            origin=asking.origin,
            return_to=asking.return_to,
            app_user_id=asking.app_user_id,
            turn_id=asking.turn_id,
            prompt_id=asking.prompt_id,
            details={"version": asking.version.number},
        )
        state, verifier = await self._states.begin(begun)
        return oauth.authorization_url(client, integration.scopes, state, verifier)

    async def finish(self, integration: str, browser: str, app_user_id: str | None, answer: Answer) -> Connected:
        """What was granted, for a browser that came back; ``app_user_id`` is who asks with it, where a cookie says so.

        Raises InvalidRequest (``invalid_oauth_state``), OAuthRefused (``access_denied`` when a person said no),
        ProviderFailed.
        """
        taken = await self._states.take(integration, PURPOSE, answer.state, browser)
        if taken.app_user_id is None or app_user_id not in (None, taken.app_user_id):
            raise OAuthRefused("somebody else began to connect this", code="invalid_oauth_state")
        version = await self._apps.version(taken.app_id, taken.details["version"])
        spec = declared(version.spec, integration)
        client = await self._clients.of(version, spec)
        if answer.iss and not client.provider.is_from(answer.iss):
            raise OAuthRefused("another provider answered than the one that was asked", code="issuer_mismatch")
        _check(answer, integration)
        grant = await oauth.exchange(client, spec.scopes, answer.code, taken.verifier)
        return Connected(version, taken.app_user_id, integration, grant, taken.turn_id, taken.prompt_id)


def _check(answer: Answer, integration: str) -> None:
    if answer.error == "access_denied":
        raise OAuthRefused(f"you did not let the app use {integration}", code="access_denied")
    if answer.error or not answer.code:
        raise OAuthRefused(f"{integration} did not connect the app")
