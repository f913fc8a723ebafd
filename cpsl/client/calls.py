"""Every plain request of the API, as a ``Call``: where it goes, and what its answer is. No I/O, no policy."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar, cast
from urllib.parse import quote

import msgspec

from cpsl.client.operations import Call, Request
from cpsl.client.types import AppInfo
from cpsl.errors import InvalidRequest
from cpsl.wire import accounts, apps, integrations, resources, turns
from cpsl.wire import users as wire_users
from cpsl.wire.deployments import Deployment, DeploymentList

S = TypeVar("S")
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BYTES = {"Content-Type": "application/octet-stream"}


def segment(value: str) -> str:
    """A name or id as one segment of a path. Raises InvalidRequest for what cannot be one."""
    if not isinstance(value, str) or value.strip(". ") == "":
        raise InvalidRequest(f"{value!r} is no name", code="invalid_name", hint="Give a name or an id.")
    return quote(encoded(value), safe="")


def encoded(value: str) -> bytes:
    """UTF-8. Raises InvalidRequest for text with half characters, which no UTF-8 has."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("The text holds half characters (lone surrogates)", code="invalid_text") from None


def body(value: Any) -> bytes:
    """JSON. Raises InvalidRequest for what JSON cannot carry."""
    try:
        return msgspec.json.encode(value)
    except (msgspec.EncodeError, UnicodeEncodeError, TypeError) as error:
        raise InvalidRequest(f"This cannot be sent as JSON: {error}", code="invalid_text") from None


def _get(path: str, answer: type[S], query: Mapping[str, str] | None = None) -> Call[S]:
    return Call(Request("GET", path, query or {}, repeatable=True), msgspec.json.Decoder(answer).decode)


def _post(path: str, value: Any, answer: type[S], repeatable: bool = False) -> Call[S]:
    request = Request("POST", path, content=body(value), headers=JSON, repeatable=repeatable)
    return Call(request, msgspec.json.Decoder(answer).decode)


def _make(path: str, value: Any, answer: type[S]) -> Call[S]:
    """What must not be done twice."""
    request = Request("POST", path, content=body(value), headers={**JSON, **_key()}, repeatable=True)
    return Call(request, msgspec.json.Decoder(answer).decode)


def _key() -> dict[str, str]:
    return {"Idempotency-Key": new_key()}


def new_key() -> str:
    """By it the gateway knows a request again whose answer was lost: it does it once, and answers twice."""
    return f"cpsl-{uuid.uuid4().hex}"


def _delete(path: str, query: Mapping[str, str] | None = None) -> Call[None]:
    return Call(Request("DELETE", path, query or {}, repeatable=True), _nothing)


def _nothing(answer: bytes) -> None:
    """What says that it is done says no more. Raises DecodeError: a captive portal's page must not pass for that."""
    if answer not in (b"", b"null"):
        raise msgspec.DecodeError("an answer where there should be none")


# --- accounts -----------------------------------------------------------------------------------------------------


def me() -> Call[accounts.Me]:
    """Who the token is."""
    return _get("/me", accounts.Me)


def tokens() -> Call[accounts.TokenList]:
    """The tokens of the account."""
    return _get("/tokens", accounts.TokenList)


def create_token(name: str, expires_in: int | None) -> Call[accounts.NewToken]:
    """A new token."""
    return _make("/tokens", accounts.TokenCreate(name, expires_in), accounts.NewToken)


def delete_token(token_id: str) -> Call[None]:
    """Revoke a token; ``current`` is the one in use."""
    return _delete(f"/tokens/{segment(token_id)}")


def local_login(secret: str, name: str) -> Call[accounts.NewToken]:
    """A token for the owner of the machine."""
    return _post("/auth/local", accounts.LocalLogin(secret, name), accounts.NewToken)


# --- apps ---------------------------------------------------------------------------------------------------------


def app_list() -> Call[apps.AppList]:
    """All apps of the workspace."""
    return _get("/apps", apps.AppList)


def app(name_or_id: str) -> Call[apps.App]:
    """One app."""
    return _get(f"/apps/{segment(name_or_id)}", apps.App)


def app_infos() -> Call[list[AppInfo]]:
    """All apps, as dicts."""
    decode = msgspec.json.Decoder(apps.AppList).decode
    return Call(app_list().request, lambda answer: [_info(row) for row in decode(answer).apps])


def app_info(name_or_id: str) -> Call[AppInfo]:
    """One app, as a dict."""
    wanted = app(name_or_id)
    return Call(wanted.request, lambda answer: _info(wanted.read(answer)))


def _info(row: apps.App) -> AppInfo:
    return cast(AppInfo, msgspec.to_builtins(row))


def delete_app(name_or_id: str) -> Call[None]:
    """Delete an app with all it has."""
    return _delete(f"/apps/{segment(name_or_id)}")


class _Versions(msgspec.Struct):
    versions: list[apps.Version]


def versions(name_or_id: str) -> Call[list[apps.Version]]:
    """The deploys of an app."""
    wanted = _get(f"/apps/{segment(name_or_id)}/versions", _Versions)
    return Call(wanted.request, lambda answer: wanted.read(answer).versions)


def rollback(name_or_id: str, version: int | None) -> Call[apps.RolledBack]:
    """Make an earlier version live."""
    return _make(f"/apps/{segment(name_or_id)}/rollback", apps.Rollback(version), apps.RolledBack)


def restart(name_or_id: str) -> Call[apps.Restarted]:
    """Start an app anew. To repeat it does no harm."""
    return _post(f"/apps/{segment(name_or_id)}/restart", {}, apps.Restarted, repeatable=True)


def logs(name_or_id: str, limit: int, after: int | None, wanted: apps.LogFilter) -> Call[apps.LogPage]:
    """Lines of an app's log."""
    query = {"limit": str(limit)} | ({} if after is None else {"after": str(after)}) | log_query(wanted)
    return _get(f"/apps/{segment(name_or_id)}/logs", apps.LogPage, query)


def log_query(wanted: apps.LogFilter) -> dict[str, str]:
    """A filter of log lines as parameters of a query."""
    chosen = msgspec.to_builtins(wanted)
    return {name: repr(value) if isinstance(value, float) else str(value) for name, value in chosen.items()}


def build_log(name_or_id: str, version: int | None) -> Call[apps.BuildLog]:
    """What building the image of a version printed."""
    query = {} if version is None else {"version": str(version)}
    return _get(f"/apps/{segment(name_or_id)}/logs/build", apps.BuildLog, query)


def check_deploy(spec: apps.AppSpec) -> Call[apps.DeployCheck]:
    """What stands in the way of deploying."""
    return _post("/deploys/check", spec, apps.DeployCheck, repeatable=True)


def deployment(deployment_id: str) -> Call[Deployment]:
    """What became of a deploy."""
    return _get(f"/deploys/{segment(deployment_id)}", Deployment)


def deployments(name_or_id: str) -> Call[DeploymentList]:
    """The last deploys of an app."""
    return _get(f"/apps/{segment(name_or_id)}/deploys", DeploymentList)


# --- resources ----------------------------------------------------------------------------------------------------


def secrets() -> Call[resources.SecretList]:
    """The secrets, without their values."""
    return _get("/secrets", resources.SecretList)


def create_secrets(
    values: Mapping[str, str], overwrite: bool, stage: bool, allow_empty: bool = False
) -> Call[resources.SecretsStored]:
    """Store all of them or none."""
    wanted = resources.SecretsCreate(dict(values), overwrite, stage, allow_empty)
    return _make("/secrets", wanted, resources.SecretsStored)


def delete_secret(name: str, stage: bool) -> Call[resources.SecretDeleted]:
    """Delete a secret."""
    wanted = _delete(f"/secrets/{segment(name)}", {"stage": "true"} if stage else {})
    decode = msgspec.json.Decoder(resources.SecretDeleted).decode
    # Without a body an earlier attempt did it, and only its answer was lost.
    return Call(wanted.request, lambda answer: decode(answer) if answer else resources.SecretDeleted(name))


def filesystems() -> Call[resources.FileSystemList]:
    """All filesystems."""
    return _get("/fs", resources.FileSystemList)


def create_filesystem(name: str) -> Call[resources.FileSystem]:
    """A new filesystem."""
    return _make("/fs", resources.NameOnly(name), resources.FileSystem)


def filesystem(name: str) -> Call[resources.FileSystem]:
    """One filesystem."""
    return _get(f"/fs/{segment(name)}", resources.FileSystem)


def delete_filesystem(name: str) -> Call[None]:
    """Delete a filesystem with its files."""
    return _delete(f"/fs/{segment(name)}")


def entries(name: str, path: str, limit: int | None, after: str) -> Call[resources.EntryList]:
    """What a folder holds, or a page of it."""
    query = {"path": path} | ({} if limit is None else {"limit": str(limit)}) | ({"after": after} if after else {})
    return _get(f"/fs/{segment(name)}/list", resources.EntryList, query)


def stat(name: str, path: str, digest: bool) -> Call[resources.FileInfo]:
    """A file or folder."""
    query = {"path": path} | ({"digest": "true"} if digest else {})
    wanted = _get(f"/fs/{segment(name)}/stat", resources.FileInfo, query)
    # The gateway may have to read all of a file for it.
    return replace(wanted, request=replace(wanted.request, silence=600.0)) if digest else wanted


def upload(name: str, path: str, content: bytes, overwrite: bool) -> Call[resources.Stored]:
    """Store a small file at once."""
    query = {"path": path} | ({"overwrite": "true"} if overwrite else {})
    headers = {**BYTES, **_key(), "Repr-Digest": repr_digest(sha256(content).digest())}
    request = Request("PUT", f"/fs/{segment(name)}/content", query, content, headers, repeatable=True)
    return Call(request, msgspec.json.Decoder(resources.Stored).decode)


def begin_upload(name: str, path: str, overwrite: bool, length: int | None, key: str) -> Call[resources.Upload]:
    """An upload that can be taken up again; the same one for the same key."""
    query = {"path": path} | ({"overwrite": "true"} if overwrite else {})
    told = {} if length is None else {"Upload-Length": str(length)}
    headers = {"Upload-Complete": "?0", "Upload-Offset": "0", "Idempotency-Key": key} | told
    request = Request("POST", f"/fs/{segment(name)}/uploads", query, b"", headers, repeatable=True)
    return Call(request, msgspec.json.Decoder(resources.Upload).decode)


def append_upload(name: str, upload: resources.Upload, content: Any) -> Request:
    """The bytes from the offset that was reached."""
    headers = _partial(upload.offset)
    if upload.length is not None:
        headers["Content-Length"] = str(upload.length - upload.offset)
    return Request("PATCH", f"/fs/{segment(name)}/uploads/{segment(upload.id)}", {}, content, headers)


def complete_upload(name: str, upload_id: str, length: int, digest: bytes) -> Call[resources.Stored]:
    """Store what has come under its name, if it is what was sent. Twice is once."""
    headers = _partial(length) | {"Upload-Complete": "?1", "Repr-Digest": repr_digest(digest)}
    path = f"/fs/{segment(name)}/uploads/{segment(upload_id)}"
    request = Request("PATCH", path, {}, b"", headers, repeatable=True, silence=600.0)
    return Call(request, msgspec.json.Decoder(resources.Stored).decode)


def drop_upload(name: str, upload_id: str) -> Call[None]:
    """Forget an upload."""
    return _delete(f"/fs/{segment(name)}/uploads/{segment(upload_id)}")


def _partial(offset: int) -> dict[str, str]:
    return {"Content-Type": "application/partial-upload", "Upload-Offset": str(offset), "Upload-Complete": "?0"}


def repr_digest(digest: bytes) -> str:
    """A SHA-256 as RFC 9530 writes it."""
    return f"sha-256=:{b64encode(digest).decode()}:"


def download(name: str, path: str, offset: int = 0, length: int | None = None, etag: str = "") -> Request:
    """A file's bytes from ``offset``, at most ``length``; with ``etag`` only of that content."""
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    if offset or length is not None:
        headers["Range"] = f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))
    if etag:
        headers["If-Range"] = etag
    return Request("GET", f"/fs/{segment(name)}/content", {"path": path}, headers=headers, repeatable=True)


def delete_file(name: str, path: str, recursive: bool) -> Call[None]:
    """Delete a file or folder."""
    query = {"path": path} | ({"recursive": "true"} if recursive else {})
    return _delete(f"/fs/{segment(name)}/content", query)


def make_folder(name: str, path: str) -> Call[None]:
    """Make a folder."""
    request = Request("POST", f"/fs/{segment(name)}/folders", {"path": path}, b"", repeatable=True)
    return Call(request, _nothing)


def move_file(name: str, source: str, target: str, overwrite: bool) -> Call[None]:
    """Give a file or folder another path."""
    wanted = resources.Move(source, target, overwrite)
    return Call(_make(f"/fs/{segment(name)}/move", wanted, resources.Move).request, _nothing)


def channels() -> Call[resources.ChannelList]:
    """All channels, without their credentials."""
    return _get("/channels", resources.ChannelList)


def create_channel(name: str, kind: str, credentials: Mapping[str, str]) -> Call[resources.ChannelCreated]:
    """A new channel."""
    wanted = resources.ChannelCreate(name, kind, dict(credentials))
    return _make("/channels", wanted, resources.ChannelCreated)


def channel(name: str) -> Call[resources.Channel]:
    """One channel."""
    return _get(f"/channels/{segment(name)}", resources.Channel)


def delete_channel(name: str, force: bool) -> Call[None]:
    """Delete a channel; ``force`` also when an app uses it."""
    return _delete(f"/channels/{segment(name)}", {"force": "true"} if force else {})


# --- the people of an app -----------------------------------------------------------------------------------------


def users(app: str, limit: int, after: str | None, visitors: bool = False) -> Call[wire_users.UserList]:
    """A page of an app's people."""
    query = {"limit": str(limit)} | ({"after": after} if after else {}) | ({"visitors": "true"} if visitors else {})
    return _get(f"/apps/{segment(app)}/users", wire_users.UserList, query)


def user(app: str, name: str) -> Call[wire_users.User]:
    """One person."""
    return _get(f"/apps/{segment(app)}/users/{segment(name)}", wire_users.User)


def change_user(app: str, name: str, change: wire_users.UserChange) -> Call[wire_users.User]:
    """Change a person. To repeat it does no harm."""
    path = f"/apps/{segment(app)}/users/{segment(name)}"
    request = Request("PATCH", path, content=body(change), headers=JSON, repeatable=True)
    return Call(request, msgspec.json.Decoder(wire_users.User).decode)


def delete_user(app: str, name: str) -> Call[None]:
    """Delete a person."""
    return _delete(f"/apps/{segment(app)}/users/{segment(name)}")


# --- connections --------------------------------------------------------------------------------------------------


def connections(app_name: str) -> Call[integrations.ConnectionList]:
    """What you have connected for an app."""
    return _get(f"/app/{segment(app_name)}/connections", integrations.ConnectionList)


def delete_connection(app_name: str, integration: str) -> Call[None]:
    """Forget one."""
    return _delete(f"/app/{segment(app_name)}/connections/{segment(integration)}")


# --- sessions and turns -------------------------------------------------------------------------------------------


def sessions(app_name: str, limit: int, after: str | None, search: str = "") -> Call[turns.SessionList]:
    """A page of an app's sessions."""
    query = {"limit": str(limit)} | ({"after": after} if after else {}) | ({"q": search} if search else {})
    return _get(f"/app/{segment(app_name)}/sessions", turns.SessionList, query)


def session(app_name: str, session_id: str) -> Call[turns.Session]:
    """One session with its messages."""
    return _get(f"/app/{segment(app_name)}/sessions/{segment(session_id)}", turns.Session)


def change_session(app_name: str, session_id: str, change: turns.SessionChange) -> Call[turns.Session]:
    """Change a session. To repeat it does no harm."""
    path = f"/app/{segment(app_name)}/sessions/{segment(session_id)}"
    request = Request("PATCH", path, content=body(change), headers=JSON, repeatable=True)
    return Call(request, msgspec.json.Decoder(turns.Session).decode)


def delete_session(app_name: str, session_id: str) -> Call[None]:
    """Delete a session."""
    return _delete(f"/app/{segment(app_name)}/sessions/{segment(session_id)}")


def data(app_name: str, name: str, params: Mapping[str, object]) -> Call[Any]:
    """What a data handler of an app returns. It is a question: asking twice is no more than asking once."""
    query = {key: value if isinstance(value, str) else body(value).decode() for key, value in params.items()}
    request = Request("GET", f"/app/{segment(app_name)}/data/{segment(name)}", query, repeatable=True)
    return Call(request, msgspec.json.decode)


def upload_attachment(
    app_name: str, name: str, content_type: str, content: Any, length: int | None
) -> Call[turns.Attachment]:
    """Upload a file for a message. One of known ``length`` (bytes) may be sent again: what nobody names is swept."""
    headers = {"Content-Type": content_type or BYTES["Content-Type"]}
    if length is not None:
        headers["Content-Length"] = str(length)
    path = f"/app/{segment(app_name)}/files"
    request = Request("POST", path, {"name": name}, content, headers, repeatable=length is not None)
    return Call(request, msgspec.json.Decoder(turns.Attachment).decode)


def turn(request_id: str) -> Call[turns.Turn]:
    """One turn."""
    return _get(f"/turns/{segment(request_id)}", turns.Turn)


def cancel(request_id: str) -> Call[turns.Turn]:
    """Cancel a turn; cancelling twice is cancelling once."""
    return _post(f"/turns/{segment(request_id)}/cancel", {}, turns.Turn, repeatable=True)


def answer(request_id: str, prompt_id: str, wanted: turns.PromptAnswer) -> Call[turns.PromptState]:
    """Answer a prompt, or decline it."""
    path = f"/turns/{segment(request_id)}/prompts/{segment(prompt_id)}"
    return _make(path, wanted, turns.PromptState)


def upload_to_prompt(
    request_id: str, prompt_id: str, name: str, content: Any, content_type: str
) -> Call[turns.PromptState]:
    """Answer a file prompt."""
    path = f"/turns/{segment(request_id)}/prompts/{segment(prompt_id)}/file"
    request = Request("POST", path, {"name": name}, content, {"Content-Type": content_type})
    return Call(request, msgspec.json.Decoder(turns.PromptState).decode)
