"""Talk to a gateway from Python: ``Client`` and ``AsyncClient``. How they share one protocol: ``operations.py``."""

from cpsl.client import lean

lean.import_httpx()

from cpsl.client.async_client import AsyncClient  # noqa: E402
from cpsl.client.attaching import Upload  # noqa: E402
from cpsl.client.client import Client  # noqa: E402
from cpsl.client.timeouts import Timeout  # noqa: E402
from cpsl.client.types import AppInfo, ChatResponse, StreamChunk  # noqa: E402

__all__ = ["AppInfo", "AsyncClient", "ChatResponse", "Client", "StreamChunk", "Timeout", "Upload"]
