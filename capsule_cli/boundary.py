"""The only place where errors become words and exit codes: nothing above it sees a traceback."""

from __future__ import annotations

import codecs
import os
import sys

import typer

from capsule_cli import errors, interrupted, output
from capsule_cli.tree import GLOBAL_FLAGS, build

INTERRUPTED = errors.EXIT_CODES[KeyboardInterrupt]


def run(arguments: list[str]) -> int:
    """Parse and run ``arguments``; return the exit code."""
    _accept_any_text()
    as_json = False
    try:
        arguments = _without_global_flags(arguments)
        as_json = output.mode() == "json" or _asks_for_json(arguments)
        result = build().main(args=arguments, prog_name="capsule", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except BrokenPipeError:
        raise
    except SystemExit as exit:
        _tell_of_a_closed_pipe(exit)
        raise
    except Exception as error:
        return _fail(error, as_json=as_json)
    if result == INTERRUPTED:  # of most of them Typer has made this exit code already
        interrupted.end_line()
        return INTERRUPTED
    _tell_of_updates()
    return result if isinstance(result, int) else 0


def _tell_of_updates() -> None:
    """Only to a person at a terminal, so that nobody else waits for as much as an import."""
    if sys.stderr.isatty():
        from capsule_cli import updates

        updates.tell()


def _tell_of_a_closed_pipe(exit: SystemExit) -> None:
    """Typer makes exit code 1 of a pipe that nobody reads any more. Raises BrokenPipeError for that, and only that."""
    if isinstance(exit.__context__, BrokenPipeError):
        raise exit.__context__


def _fail(error: Exception, *, as_json: bool) -> int:
    if _is_parse_error(error):
        return _show_usage(error, as_json=as_json)
    errors.show(error, as_json=as_json)
    return errors.exit_code(error)


def _is_parse_error(error: Exception) -> bool:
    """Typer's own errors, whichever Click it carries: they know how to show themselves."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _show_usage(error: Exception, *, as_json: bool) -> int:
    message = error.format_message()  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message, file=sys.stderr)
        return 2
    path = context.command_path if context else "capsule"
    errors.show(errors.UsageError(message, hint=f"See: {path} --help"), as_json=as_json)
    return 2


def _asks_for_json(arguments: list[str]) -> bool:
    return any(word == "--json" or word.startswith("--json=") for word in arguments[: _end_of_options(arguments)])


def _end_of_options(arguments: list[str]) -> int:
    return arguments.index("--") if "--" in arguments else len(arguments)


def _without_global_flags(arguments: list[str]) -> list[str]:
    """The arguments without the flags that may stand anywhere; what those ask for is in the environment then."""
    end = _end_of_options(arguments)
    _refuse_values(arguments[:end])
    for flag in GLOBAL_FLAGS.keys() & set(arguments[:end]):
        os.environ[GLOBAL_FLAGS[flag][0]] = "1"
    return [word for word in arguments[:end] if word not in GLOBAL_FLAGS] + arguments[end:]


def _refuse_values(arguments: list[str]) -> None:
    for flag, equals, value in (word.partition("=") for word in arguments):
        if equals and flag in GLOBAL_FLAGS:
            raise errors.UsageError(f"{flag} takes no value, but got {value!r}", hint=f"Write {flag}, or leave it out.")


_PLAIN = {"✓": "*", "…": "...", "—": "-"}


def _accept_any_text() -> None:
    """A terminal or a pipe that is not UTF-8 gets ASCII, or a ``?``, in place of what it cannot show; never a crash."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_PLAIN.get(char, "?") for char in error.object[error.start : error.end]), error.end
