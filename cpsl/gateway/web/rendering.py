"""Pages out of templates: markup is escaped, and a name that a template lacks is an error."""

from __future__ import annotations

import gzip
from functools import cache
from typing import Annotated, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect
from markupsafe import Markup

from cpsl.errors import CapsuleError, RateLimited
from cpsl.gateway.web import assets
from cpsl.gateway.web.markdown import TURNING
from cpsl.wire.integrations import title

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


@cache
def templates() -> Environment:
    """The templates, each read once."""
    made = Environment(
        loader=PackageLoader("cpsl.gateway.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_straight,
    )
    made.globals["asset"] = assets.url
    made.filters["title_of_integration"] = title
    return made


def _straight(value: Any) -> Any:
    """Text without what would turn its direction around, and that of what stands behind it (https://trojansource.codes).

    What is markup already has been looked at.
    """
    if isinstance(value, str) and not isinstance(value, Markup):
        return TURNING.sub("", value)
    return value


def page(name: str, status: int = 200, **values: Any) -> Response[str]:
    """The page that a template makes of ``values``."""
    return Response(render(name, **values), status_code=status, media_type=MediaType.HTML)


def pack(request: Request[Any, Any, Any], response: Response[Any]) -> None:
    """Send a page compressed to who takes it (RFC 9110 §8.4.1).

    No link can put text of its choice into a page, so its length tells nothing of what is secret in it
    (https://www.breachattack.com).
    """
    response.headers["Vary"] = "Accept-Encoding"
    if "gzip" in request.headers.get("accept-encoding", ""):
        response.content = gzip.compress(response.content.encode(), 5, mtime=0)
        response.headers["Content-Encoding"] = "gzip"


def render(name: str, **values: Any) -> str:
    """What a template makes of ``values``."""
    return templates().get_template(name).render(**values)


def message_page(title: str, message: str, status: int = 200, **where: str) -> Response[str]:
    """A page that says one thing; with ``app`` and ``base`` it leads to the app's page."""
    return page("message.html", status, title=title, message=message, **where)


def not_before(error: CapsuleError, response: Response[str]) -> Response[str]:
    """The same page, with when to come back if ``error`` says so (RFC 9110 §10.2.3)."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def see_other(path: str) -> Redirect:
    """Go there with a GET, whatever the method was (RFC 9110 §15.4.4)."""
    return Redirect(path, status_code=303)
