"""``python -m docs``: write every generated file anew."""

from __future__ import annotations

from docs.generated import ROOT, files

for name, text in files().items():
    (ROOT / name).parent.mkdir(exist_ok=True)
    (ROOT / name).write_text(text, encoding="utf-8")
