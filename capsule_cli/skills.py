"""The page that ``capsule skill`` prints: what an agent has to know, then every command in a line or two."""

from __future__ import annotations

from capsule_cli import reference
from capsule_cli.errors import MEANINGS

_HEAD = """---
name: capsule
description: Deploy, run and talk to Python chat apps with the capsule command. Use it for anything about Capsule apps.
---

# capsule

One Python file is an app: `capsule deploy app.py:app` puts it live, `capsule chat NAME "text"` talks to it.

- Data is on stdout, everything else on stderr. `--json` prints one line of JSON, `--json name,url` only these fields;
  logs and serve print one object a line. An error is then one object on stderr: `{"error": {"code", "message"}}`
- Nothing is asked without a terminal: the error names the option (`--yes`, `--force`). Follow the hint of an error.
- Never put a secret on a command line: `printf %s "$VALUE" | capsule secret create NAME -`.

## Recipes

```sh
capsule quickstart                                   # from nothing to an answer on this machine
printf %s "$TOKEN" | capsule login --with-token --gateway https://capsule.example.com
url=$(capsule deploy app.py:app)                     # the URL is all that is on stdout
capsule chat my-app "hi" --json                      # text, session_id, request_id
capsule chat my-app "and now?" --session SESSION_ID
capsule wait my-app --for healthy --timeout 60       # exit code 0 reached, 6 too late, 7 failed
id=$(capsule deploy app.py:app --no-wait -q) && capsule wait my-app --for deployment=$id
capsule session list my-app -q                       # ids, the newest first
capsule session show my-app SESSION_ID               # the whole conversation, as Markdown
capsule config list --json name,value,origin         # what counts here, and where it comes from
capsule config set timeout 120
capsule logs my-app --level error --since 10m --json # what failed, with tracebacks
capsule app rollback my-app                          # the version before is live again
capsule doctor --json                                # what is wrong with this machine, and what to do
```
"""


def page() -> str:
    """The whole page, as Markdown."""
    codes = ", ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items())
    lines = [_HEAD, f"Exit codes: {codes}.", "", "## Commands", ""]
    for command in reference.commands():
        lines += _entry(command)
    return "\n".join(lines)


def _entry(command: reference.Command) -> list[str]:
    options = [_option(each) for each in command.options if each.names[0] not in ("--json", "--profile")]
    lines = [f"- `{command.usage.removesuffix(' [OPTIONS]')}`: {command.summary}"]
    if command.aliases:
        lines.append(f"  Also: {', '.join(command.aliases)}")
    if options:
        lines.append(f"  Options: {' '.join(options)}")
    if command.fields:
        lines.append(f"  JSON: {', '.join(command.fields)}")
    return lines


def _option(option: reference.Option) -> str:
    return f"`{option.names[0]}{f' {option.value}' if option.value else ''}`"
