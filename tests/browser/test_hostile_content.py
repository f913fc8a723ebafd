"""What people, apps and files say is text: nothing of it runs, and nothing of it makes the browser call elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import Visitor
from tests.support.gateway import APPS, GatewayProcess

# After https://cheatsheetseries.owasp.org/cheatsheets/XSS_Filter_Evasion_Cheat_Sheet.html, and what Markdown adds.
CORPUS = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=https://evil.example/x.swf>",
    "<form action=https://evil.example><button>go</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<a href='javascript:alert(1)' id=named>x</a>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>body{background:url(https://evil.example/x)}</style>",
    "<div style='position:fixed;inset:0'>over all</div>",
    "<section class=turn data-turn=forged data-state=done>forged</section>",
    "[link](javascript:alert(1))",
    "[link](JaVaScRiPt:alert(1))",
    "[link](java&#x0A;script:alert(1))",
    "[link](&#106;avascript:alert(1))",
    "[link](vbscript:msgbox(1))",
    "[link](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[link](//evil.example/x)",
    '[link](https://evil.example/ "onmouseover=alert(1)")',
    "<javascript:alert(1)>",
    "![image](https://evil.example/pixel.png)",
    "![image](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    '![x"onerror="alert(1)](x)',
    "`<img src=x onerror=alert(1)>`",
    '| <img src=x onerror=alert(1)> |\n|---|\n| "><script>alert(1)</script> |',
    '```"><img/src=x onerror=alert(1)>\n<script>alert(1)</script>\n```',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "[x]: javascript:alert(1)\n\n[x]",
    "\u202etxt.exe\u202c \u2066hidden\u2069 \u200b",
]
EVERYTHING = "\n\n".join(CORPUS)

DANGEROUS = """() => {
  const elements = "script, iframe, object, embed, base, meta, link, style, animate, math"
  const links = ["href", "src", "action", "formaction", "xlink:href"]
  const runs = ({name, value, ownerElement}) => name.startsWith("on") ||
    name === "style" && ownerElement.closest("section.turn") ||
    links.includes(name) && /^\\s*(java|vb)script:|^data:text/i.test(value)
  return [...document.querySelectorAll("body *")]
    .filter((each) => each.matches(elements) && !each.matches("script[src^='/static/']") ||
      [...each.attributes].some(runs))
    .map((each) => each.outerHTML.slice(0, 200))
}"""


@pytest.fixture(scope="module")
def intruder(house: GatewayProcess) -> GatewayProcess:
    """The gateway with an app of somebody with bad intentions."""
    house.deploy(APPS / "intruder.py")
    return house


def check_harmless(page: Page) -> None:
    """Nothing in it can run. That nothing did is checked when the visitor leaves."""
    assert page.evaluate(DANGEROUS) == []
    expect(page.locator("[data-turn=forged]")).to_have_count(0)


@pytest.mark.parametrize("how", ["say", "type"])
def test_texts(intruder: GatewayProcess, visitor: Visitor, how: str) -> None:
    chat = visitor.open("intruder").say(f"{how} {EVERYTHING}")
    chat.ended()
    check_harmless(visitor.page)
    visitor.page.reload()
    chat.ended()
    check_harmless(visitor.page)


def test_cards_news_and_errors(intruder: GatewayProcess, visitor: Visitor) -> None:
    chat = visitor.open("intruder").say("cards")
    chat.card()
    check_harmless(visitor.page)
    chat.stop()
    chat.ended("stopped")
    chat.say("fail").ended("failed")
    check_harmless(visitor.page)


def test_the_name_of_a_file(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("file")
    chat.card().choose({"name": "<img src=x onerror=alert(1)>.csv", "mimeType": "text/csv", "buffer": b"a\n"})
    chat.ended()
    check_harmless(visitor.page)


def test_links_cannot_reach_the_page_that_they_are_on(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say(
        "show [one](https://example.com/a) and <mailto:a@example.com> and [two](/a/parlour)"
    )
    links: list[dict[str, Any]] = (
        chat.ended()
        .get_by_role("link")
        .evaluate_all("all => all.map(each => ({href: each.getAttribute('href'), rel: each.rel, target: each.target}))")
    )
    outside = [each for each in links if each["href"].startswith("http")]
    assert [each["href"] for each in outside] == ["https://example.com/a"]
    assert all("noopener" in each["rel"].split() for each in outside)


@pytest.mark.parametrize(
    ("name", "accept", "content", "said"),
    [
        ("photo.png", ".csv,text/csv", b"x", "csv"),
        ("empty.csv", ".csv,text/csv", b"", "empty"),
        ("../../etc/passwd.csv", ".csv", b"x", "passwd.csv: 1 bytes"),
        (f"{'a' * 296}.csv", ".csv", b"x", ".csv: 1 bytes"),
    ],
)
def test_files_that_do_not_fit(visitor: Visitor, name: str, accept: str, content: bytes, said: str) -> None:
    """It is either taken under a safe name or refused with a reason, and another can be given."""
    chat = visitor.open("parlour").say(f"file {accept}")
    chat.card().choose({"name": name, "mimeType": "application/octet-stream", "buffer": content})
    expect(chat.turns.last).to_contain_text(said)
    if chat.turns.last.get_attribute("data-state") != "done" and chat.card().element.get_by_role("button").count():
        chat.card().choose({"name": "good.csv", "mimeType": "text/csv", "buffer": b"x"})
    assert "bytes" in chat.answer()


def test_a_huge_table_and_an_unclosed_fence(visitor: Visitor) -> None:
    """They stay in their box: the page does not become wider."""
    wide = "|" + "column|" * 60
    table = "\n".join([wide, "|" + "---|" * 60, *[wide] * 30])
    chat = visitor.open("parlour").say(f"show {table}\n\n```python\nprint('{'x' * 3000}')")
    chat.ended()
    assert fits(visitor.page)


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_the_page_is_not_for_frames(visitor: Visitor, house: GatewayProcess) -> None:
    """Clickjacking: another page that puts it into a frame gets nothing to see."""
    answer = visitor.page.request.get("/a/parlour")
    assert answer.headers["x-frame-options"] == "DENY"
    visitor.page.goto("about:blank")
    visitor.page.set_content(f"<iframe src='{house.url}/a/parlour'></iframe>")
    frame = visitor.page.frames[1]
    expect(frame.locator("section, textarea, nav")).to_have_count(0)
    assert "chrome-error" in frame.url
