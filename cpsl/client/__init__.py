"""Talk to a gateway from Python: ``Client`` and ``AsyncClient``. How they share one protocol: ``operations.py``."""

from cpsl.client.async_client import AsyncClient
from cpsl.client.attaching import Upload
from cpsl.client.client import Client
from cpsl.client.timeouts import Timeout
from cpsl.client.types import AppInfo, ChatResponse, StreamChunk

__all__ = ["AppInfo", "AsyncClient", "ChatResponse", "Client", "StreamChunk", "Timeout", "Upload"]
