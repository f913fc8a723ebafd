"""An answer's Markdown as HTML that may stand in our page, whatever the answer says.

CommonMark (https://spec.commonmark.org/0.31.2/) with tables, strikethrough, bare links and task lists; no HTML of its
own. What comes out has passed an allow-list besides.
"""

from __future__ import annotations

import re
import threading
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from cpsl.gateway.web.highlighting import highlighted

Definitions = dict[str, Any]
"""Link definitions (CommonMark §4.7) that hold in a text, by their label."""

MAX_TEXT = 64 * 1024
"""Characters that are understood as Markdown at a time; a longer text is shown as it was written."""
_MAX_CELLS = 5_000
_KEPT_TEXT = 8 * 1024
FILE = re.compile(r"(?:https?://[^/?#\s]+)?(/api/v1/app/[a-z0-9-]+/files/fil_[a-z0-9]+)\Z")
"""Where a file of an app is; the page asks its own host for it, whichever is named."""
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that change the direction of what follows."""
_TASK = re.compile(r"\[([ xX])\][ \u00a0]")
_DIRECTED = {"paragraph_open", "heading_open", "td_open", "th_open", "blockquote_open", "list_item_open"}
_LEVELS_ABOVE = 2  # the page has its own headings over those of an answer

_ICON = '<svg class="icon" aria-hidden="true"><use href="#icon-copy"></use></svg>'

_TAGS = {
    *("a", "blockquote", "br", "button", "code", "del", "div", "em", "figcaption", "figure", "h3", "h4", "h5", "h6"),
    *("hr", "img", "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_ATTRIBUTES = {
    **{tag: {"dir"} for tag in ("p", "li", "blockquote", "h3", "h4", "h5", "h6")},
    "a": {"href"},
    "button": {"type", "class", "data-copy", "aria-label", "title"},
    "code": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "figure": {"class", "data-language"},
    "img": {"src", "alt", "loading"},
    "ol": {"start"},
    "pre": {"class", "dir", "tabindex"},
    "span": {"class", "role", "aria-label"},
    "td": {"class", "dir"},
    "th": {"class", "dir"},
}
_clean = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


def render(text: str, definitions: Definitions | None = None, *, is_open: bool = False) -> str:
    """``text`` as HTML. ``is_open``: more of it will come, so nothing is coloured yet."""
    text = _sendable(text)
    if len(text) > MAX_TEXT:
        return plain(text)
    if definitions or len(text) > _KEPT_TEXT:
        return _rendered(text, definitions or {}, is_open)
    return _remembered(text, is_open)


def plain(text: str) -> str:
    """A text as it was written."""
    return f'<pre class="plain" dir="auto" tabindex="0">{escape(_shown(_sendable(text)))}</pre>\n'


def _sendable(text: str) -> str:
    """The text without halves of characters, which no page can hold."""
    return text.encode(errors="replace").decode()


@lru_cache(512)
def _remembered(text: str, is_open: bool) -> str:
    """Several watch the same turn, and read the same conversation again."""
    return _rendered(text, {}, is_open)


def _rendered(text: str, definitions: Definitions, is_open: bool) -> str:
    environment = {"references": dict(definitions), "is_open": is_open}
    tokens = _parser().parse(text, environment)
    if sum(token.type in ("td_open", "th_open") for token in tokens) > _MAX_CELLS:
        return plain(text)
    html = _clean.clean(_parser().renderer.render(tokens, _parser().options, environment))
    return html.replace("></button>", f">{_ICON}</button>")  # all buttons are ours, and no icon passes the list


_of_thread = threading.local()


def _parser() -> MarkdownIt:
    """The parser of this thread: what finds bare links remembers where it is in a text."""
    if not hasattr(_of_thread, "parser"):
        _of_thread.parser = _made()
    parser: MarkdownIt = _of_thread.parser
    return parser


def _made() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": True}).enable(["table", "strikethrough", "linkify"])
    made.validateLink = _is_allowed  # type: ignore[method-assign]  # as its documentation says
    made.core.ruler.push("dress", _dress)
    for name, rule in _RULES.items():
        made.add_render_rule(name, rule)
    return made


def _is_allowed(url: str) -> bool:
    return bool(_LINK.match(url) or FILE.match(url))


def _shown(code: str) -> str:
    """Code, in which what would turn its direction around is to be seen (https://trojansource.codes)."""
    return TURNING.sub(lambda found: f"\u2039U+{ord(found[0]):04X}\u203a", code)


def _dress(state: StateCore) -> None:
    """Change what the parser found to what stands in our page."""
    for token in state.tokens:
        if token.type in _DIRECTED:
            token.attrSet("dir", "auto")
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + _LEVELS_ABOVE, 6)}"
        if style := token.attrs.pop("style", None):
            token.attrSet("class", str(style).removeprefix("text-align:"))
    for before, token in zip([None, None, *state.tokens], state.tokens, strict=False):
        if token.type == "inline":
            _dress_inline(token, is_item=before is not None and before.type == "list_item_open")


def _dress_inline(token: Token, *, is_item: bool) -> None:
    children = token.children or []
    for child in children:
        child.content = _shown(child.content) if child.type == "code_inline" else TURNING.sub("", child.content)
    first = children[0] if children else None
    if is_item and first is not None and first.type == "text" and (task := _TASK.match(first.content)):
        first.content = first.content[task.end() :]
        token.children = [_task(is_done=task[1] != " "), *children]


def _task(*, is_done: bool) -> Token:
    mark, name = ("\u2611", "done") if is_done else ("\u2610", "to do")
    return Token("html_inline", "", 0, content=f'<span class="task" role="img" aria-label="{name}">{mark}</span> ')


def _fence(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    token = tokens[index]
    language = (token.info.split() or [""])[0][:30]
    code = _shown(token.content)
    inner = escape(code) if env["is_open"] else highlighted(code, language)
    name = escape(language or "text")
    return (
        f'<figure class="code highlight" data-language="{name}"><figcaption><span>{name}</span>'
        '<button type="button" class="copy" data-copy="" aria-label="Copy the code" title="Copy the code"></button>'
        "</figcaption>"
        f'<pre dir="ltr" tabindex="0"><code>{inner}</code></pre></figure>\n'
    )


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    """A file of the app as an image; one from elsewhere as a link, or everybody who reads would be known there."""
    token = tokens[index]
    source = str(token.attrs.get("src", ""))
    name = TURNING.sub("", renderer.renderInlineAsText(token.children, options, env)) or "image"
    if own := FILE.match(source):
        return f'<img src="{escape(own[1])}" alt="{escape(name)}" loading="lazy">'
    return f'<a href="{escape(source)}">{escape(name)}</a>'


def _table_open(*_: Any) -> str:
    return '<div class="table" role="region" aria-label="Table" tabindex="0"><table>\n'


def _table_close(*_: Any) -> str:
    return "</table></div>\n"


_RULES: dict[str, Any] = {
    "fence": _fence,
    "code_block": _fence,
    "image": _image,
    "table_open": _table_open,
    "table_close": _table_close,
}
