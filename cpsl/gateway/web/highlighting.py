"""Code in colour: classes only, which ``static/turn.css`` gives a colour in the light and in the dark."""

from __future__ import annotations

from functools import cache
from html import escape

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_all_lexers, get_lexer_by_name

MAX_CODE = 64 * 1024
"""Characters of a code block that are coloured; a longer one is shown plain."""
_formatter = HtmlFormatter(nowrap=True)


def highlighted(code: str, language: str) -> str:
    """Code as HTML with the classes of its tokens; plain where the language is unknown, or the code is very long."""
    if len(code) > MAX_CODE or language.lower() not in _languages():
        return escape(code)
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return str(highlight(code, lexer, _formatter))


@cache
def _languages() -> frozenset[str]:
    # Those that come with Pygments: to look for those of plugins takes longer than to colour most blocks.
    return frozenset(alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases)
