"""``capsule gateway``: the server on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from capsule_cli import daemon, output
from capsule_cli.options import DataDirOpt, JsonOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun
from cpsl.errors import NotFound

cli = noun("The gateway on this machine: start, stop, status, logs.")


IsolationOpt = Annotated[
    str,
    typer.Option(
        metavar="namespaces|none",
        help="How apps are kept apart; 'none' trusts them with this machine.",
    ),
]


@cli.command(epilog=examples("capsule gateway start", "capsule gateway start --foreground --host 0.0.0.0 --port 8080"))
def start(
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay here: for systemd and containers.")] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).", metavar="ADDRESS")] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on (1980).", min=0, max=65535, metavar="PORT", show_default=False),
    ] = None,
    data_dir: DataDirOpt = None,
    isolation: IsolationOpt = "namespaces",
    json: JsonOpt = None,
) -> None:
    """Start the gateway in the background. If it runs already, that is fine."""
    folder = daemon.data_dir(data_dir)
    chosen = daemon.choose(host, port, isolation)
    if foreground:
        return _serve(folder, chosen)
    running = daemon.find(folder)
    word = "runs already" if running else "runs"
    running = running or daemon.start(folder, chosen)
    Output(json=json).done(f"The gateway {word} at {running.url}", running._asdict())
    output.warn_of_isolation(running.isolation)


@cli.command(epilog=examples("capsule gateway stop"))
def stop(data_dir: DataDirOpt = None, json: JsonOpt = None) -> None:
    """Stop the gateway. If none runs, that is fine."""
    folder = daemon.data_dir(data_dir)
    running = daemon.find(folder)
    if running is None:
        return Output(json=json).done("The gateway is not running", {"stopped": False})
    daemon.stop(folder, running)
    Output(json=json).done("The gateway has stopped", {"stopped": True})


@cli.command(epilog=examples("capsule gateway status", "capsule gateway status --json"))
def status(data_dir: DataDirOpt = None, json: JsonOpt = None) -> None:
    """Say whether the gateway runs, and where. Exit code 6 if it does not; with --json always 0."""
    folder = daemon.data_dir(data_dir)
    running = daemon.find(folder)
    if json:
        facts = running._asdict() if running else {}
        ready = bool(running and daemon.answers(running.url))
        return output.print_json({"running": bool(running), "ready": ready, "data_dir": str(folder), **facts}, json)
    running = daemon.require(folder)
    Output().item(
        running,
        {
            "URL": running.url,
            "Ready": "yes" if daemon.answers(running.url) else "no",
            "Process": running.pid,
            "Version": running.version,
            "Since": output.when(running.started_at),
            "Data": folder,
        },
    )
    output.warn_of_isolation(running.isolation)


@cli.command(epilog=examples("capsule gateway logs", "capsule gateway logs -f"))
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="How many to begin with.", min=0)] = 100,
    data_dir: DataDirOpt = None,
) -> None:
    """Show what the gateway itself wrote. (What apps wrote: capsule logs APP.)"""
    log = daemon.data_dir(data_dir) / "gateway.log"
    if not log.exists():
        raise NotFound("There is no gateway log yet", hint="capsule gateway start")
    if follow:
        output.end_with_reader()
    for line in _lines(log, lines, follow=follow):
        output.data(output.clean(line))


def _lines(log: Path, count: int, *, follow: bool) -> Iterator[str]:
    from collections import deque

    with log.open(encoding="utf-8", errors="replace") as file:
        yield from (line.rstrip("\n") for line in deque(file, maxlen=count))
        while follow:
            line = file.readline()
            if line:
                yield line.rstrip("\n")
            else:
                time.sleep(0.2)


def _serve(folder: Path, chosen: daemon.Choices) -> None:
    daemon.require_extra()
    from cpsl.gateway.server import configure_logging, serve
    from cpsl.gateway.settings import configured

    configure_logging()
    serve(configured(folder, **chosen._asdict()))
