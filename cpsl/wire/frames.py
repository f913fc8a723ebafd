"""The link between a gateway and a runtime: length-prefixed msgpack frames over one Unix socket, multiplexed.

Four bytes of length (big-endian), then one frame. Whoever asks numbers the question (``call_id``); the answer
carries the number. Events of a turn need no answer: the socket keeps their order.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cpsl.wire.apps import AppSpec
from cpsl.wire.events import AppEvent
from cpsl.wire.integrations import Credentials
from cpsl.wire.turns import Attachment, Message

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A longer frame is an attack or a bug: whoever reads it closes the link."""

MAX_LOOSE_BYTES = 4 * 1024 * 1024
"""The same for what a runtime sends, but for files and data: values of any shape take much memory once decoded."""


class _Frame(msgspec.Struct, tag_field="t", omit_defaults=True):
    """Common ground of all frames."""


class AppUser(msgspec.Struct, omit_defaults=True, frozen=True):
    """A person, or a caller of the API, of one app. ``authenticated`` is false for anonymous visitors.

    ``email_verified``: they have shown that the address is theirs, or somebody who knows vouches for it.
    """

    id: str
    email: str | None = None
    org_id: str | None = None
    authenticated: bool = True
    email_verified: bool = False


class Mount(msgspec.Struct, omit_defaults=True, frozen=True):
    """A folder of the host (``source``) as the app sees it (``path``)."""

    source: str
    path: str
    read_only: bool = False


# --- gateway to runtime -------------------------------------------------------------------------------------------


class Start(_Frame, tag="start"):
    """The first frame: what to import. ``environment`` holds the app's secrets, so they are in no argv and no file.

    ``image`` is the folder of a built image, or empty; ``cpu`` how many cores a runtime may use. With ``only_look``
    packages that are not there yet are passed over, and nothing runs. It is sent twice: to what makes the sandbox, then
    to what runs in it.
    """

    app: str
    version: int
    code_dir: str
    entry: str
    app_url: str = ""
    image: str = ""
    mounts: list[Mount] = []
    environment: dict[str, str] = {}
    isolation: str = "namespaces"
    cpu: float = 0.25
    only_look: bool = False

    def __repr__(self) -> str:
        return f"Start(app={self.app!r}, version={self.version}, environment={{{', '.join(self.environment)}}})"


class Fork(_Frame, tag="fork"):
    """Make a runtime for one user. With the frame come four descriptors: its link, its life line, stdout and stderr."""

    user: AppUser


class Ping(_Frame, tag="ping"):
    """Are you alive? Answered by ``Pong``, unless the app keeps its event loop from running."""

    call_id: int


class SessionState(msgspec.Struct, omit_defaults=True):
    """What a handler finds in its ``Session``. ``is_new`` is true once in the session's life."""

    id: str
    channel: str
    is_new: bool = False
    history: list[Message] = []
    data: dict[str, Any] = {}


class StartTurn(_Frame, tag="turn"):
    """A message for the app's handler."""

    request_id: str
    session: SessionState
    text: str
    integrations: dict[str, Credentials] = {}
    attachments: list[Attachment] = []


class CancelTurn(_Frame, tag="cancel"):
    """Stop the handler of this turn."""

    request_id: str


class CloseSession(_Frame, tag="close_session"):
    """The session ends: run the ``exit`` hook. Answered by ``SessionClosed``."""

    call_id: int
    session: SessionState


class DataRequest(_Frame, tag="data"):
    """Ask a data handler. ``params`` are the query parameters."""

    call_id: int
    name: str
    params: dict[str, str] = {}
    integrations: dict[str, Credentials] = {}


class Result(_Frame, tag="result"):
    """The answer to a ``Call``."""

    call_id: int
    value: Any = None
    error: CallError | None = None

    def __repr__(self) -> str:
        return f"Result(call_id={self.call_id}, value=[secure], error={self.error!r})"


class Stop(_Frame, tag="stop"):
    """Run the ``shutdown`` hook and end."""


# --- runtime to gateway -------------------------------------------------------------------------------------------


class Ready(_Frame, tag="ready"):
    """The app is imported. ``cannot_fork`` says why no runtime may be forked from this process, if so."""

    spec: AppSpec
    cannot_fork: str = ""


class Booted(_Frame, tag="booted"):
    """The ``boot`` hook of a runtime has run: it takes turns."""


class Pong(_Frame, tag="pong"):
    """The answer to a ``Ping``."""

    call_id: int


class Broken(_Frame, tag="broken"):
    """The app cannot run. ``traceback`` is the app's own, without our frames; ``code`` as in an error."""

    code: str
    message: str
    traceback: str = ""
    hint: str | None = None


class TurnEvents(_Frame, tag="events"):
    """Events of a turn, in order."""

    request_id: str
    events: list[AppEvent]


class TurnFailure(msgspec.Struct, omit_defaults=True):
    """Why a handler ended without returning. ``traceback`` goes to the log, never to the user."""

    code: str
    message: str
    hint: str | None = None
    traceback: str = ""


class TurnEnded(_Frame, tag="ended"):
    """The handler is finished. ``data`` is the session's data if it changed."""

    request_id: str
    data: dict[str, Any] | None = None
    failure: TurnFailure | None = None


class DataResponse(_Frame, tag="data_result"):
    """The answer to a ``DataRequest``: JSON, or what went wrong."""

    call_id: int
    json: bytes = b"null"
    failure: TurnFailure | None = None


class SessionClosed(_Frame, tag="session_closed"):
    """The ``exit`` hook of a session has run."""

    call_id: int


class LogRecord(msgspec.Struct, omit_defaults=True):
    """A line that the app printed or logged. ``timestamp`` in seconds since the epoch."""

    message: str
    timestamp: float
    level: str = "info"
    stream: str = "stdout"
    session_id: str = ""
    request_id: str = ""


class Logs(_Frame, tag="logs"):
    """Lines for ``capsule logs``."""

    records: list[LogRecord]


class Call(_Frame, tag="call"):
    """A question of the app to its gateway, one of ``Question``."""

    call_id: int
    question: Question


class CallError(msgspec.Struct, omit_defaults=True):
    """Why a question could not be answered; becomes the error class that owns ``code``."""

    code: str
    message: str
    hint: str | None = None


# --- questions ----------------------------------------------------------------------------------------------------


class _Question(msgspec.Struct, tag_field="q", omit_defaults=True, frozen=True):
    """Common ground of what an app may ask. The gateway knows who asks: nothing in a question says so."""


class GetSecret(_Question, tag="secret", frozen=True):
    """The value of a secret that the app declares. Answer: ``str``."""

    name: str


class OpenPrompt(_Question, tag="prompt", frozen=True):
    """Ask the turn's user and wait. Answer: ``PromptResult``. ``timeout`` in seconds; ``path`` is where a file goes.

    ``refused``: the digest of the credentials that the service refused, so others are wanted.
    """

    request_id: str
    kind: str
    timeout: float
    message: str = ""
    integration: str = ""
    accept: str = ""
    path: str = ""
    refused: str = ""


class StoredFile(msgspec.Struct, omit_defaults=True):
    """A file that the user gave. ``path`` is where the app finds it, when it asked for it in a mount."""

    file_id: str
    name: str
    content_type: str
    size: int
    path: str = ""


class PromptResult(msgspec.Struct, omit_defaults=True):
    """How a prompt ended: ``answered``, ``declined`` or ``expired``, with what it brought."""

    outcome: str
    credentials: Credentials | None = None
    file: StoredFile | None = None

    def __repr__(self) -> str:
        return f"PromptResult({self.outcome!r})"


class ReadFile(_Question, tag="read_file", frozen=True):
    """A slice of a file that this user gave. Answer: ``bytes``, empty at the end."""

    file_id: str
    offset: int
    length: int


class StoreFile(_Question, tag="store_file", frozen=True):
    """Keep a file for this user to look at. Answer: its URL."""

    name: str
    content_type: str
    data: bytes


class Insert(_Question, tag="insert", frozen=True):
    """Add documents to a collection. Answer: the documents with their ``_id``."""

    collection: str
    documents: list[dict[str, Any]]
    session_id: str = ""


class Find(_Question, tag="find", frozen=True):
    """Documents of a collection that fit ``filter``. Answer: a list. ``sort``: field to 1 or -1, in order."""

    collection: str
    filter: dict[str, Any] = {}
    sort: dict[str, int] = {}
    limit: int = 0
    skip: int = 0
    session_id: str = ""


class Update(_Question, tag="update", frozen=True):
    """Set fields of the first document that fits. Answer: ``{"matched", "modified"}``."""

    collection: str
    filter: dict[str, Any]
    set: dict[str, Any]
    session_id: str = ""


class Delete(_Question, tag="delete", frozen=True):
    """Remove the first document that fits. Answer: ``{"deleted"}``."""

    collection: str
    filter: dict[str, Any]
    session_id: str = ""


class Count(_Question, tag="count", frozen=True):
    """How many documents fit. Answer: ``int``."""

    collection: str
    filter: dict[str, Any] = {}
    session_id: str = ""


Question = GetSecret | OpenPrompt | ReadFile | StoreFile | Insert | Find | Update | Delete | Count
ToRuntime = Start | Fork | Ping | StartTurn | CancelTurn | CloseSession | DataRequest | Result | Stop
ToGateway = Ready | Booted | Broken | Pong | TurnEvents | TurnEnded | DataResponse | SessionClosed | Logs | Call


_encoder = msgspec.msgpack.Encoder()
decode_to_runtime = msgspec.msgpack.Decoder(ToRuntime).decode
decode_to_gateway = msgspec.msgpack.Decoder(ToGateway).decode


def encode(frame: ToRuntime | ToGateway) -> bytes:
    """A frame as it goes on the socket, length first. Raises ValueError for one over its limit."""
    body = _encoder.encode(frame)
    if len(body) > (limit := _limit(frame)):
        raise ValueError(f"{len(body)} bytes are over the limit of {limit // 1024**2} MiB")
    return len(body).to_bytes(4, "big") + body


def _limit(frame: ToRuntime | ToGateway) -> int:
    is_file = isinstance(frame, Call) and isinstance(frame.question, StoreFile)
    is_loose = isinstance(frame, TurnEvents | TurnEnded | Logs | Call) and not is_file
    return MAX_LOOSE_BYTES if is_loose else MAX_FRAME_BYTES


class FrameBuffer:
    """Puts frames together from pieces of a byte stream.

    ``feed`` takes what arrived and returns the frames that became whole, undecoded. Raises ValueError when a length
    is over MAX_FRAME_BYTES, after which the stream cannot be trusted.
    """

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._pending += data
        frames: list[bytes] = []
        start = 0
        while len(self._pending) - start >= 4:
            length = int.from_bytes(self._pending[start : start + 4], "big")
            if length > MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
            end = start + 4 + length
            if len(self._pending) < end:
                break
            frames.append(bytes(self._pending[start + 4 : end]))
            start = end
        del self._pending[:start]
        return frames
