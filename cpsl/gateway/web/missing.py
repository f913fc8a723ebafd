"""What people see who open an address at which there is nothing; programs get a problem, as everywhere."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response
from litestar.exceptions import NotFoundException

from cpsl.gateway.http.problems import on_http_exception
from cpsl.gateway.web.rendering import message_page


def on_missing(request: Request[Any, Any, Any], error: NotFoundException) -> Response[Any]:
    """A page for a browser that goes somewhere."""
    is_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if is_page:
        return message_page("Not found", "There is nothing at this address.", 404)
    return on_http_exception(request, error)
