"""A line that is typed without showing on the screen."""

from __future__ import annotations

import sys

from capsule_cli.errors import UsageError

_MORE_SECONDS = 0.1
_LONGEST = 4095  # bytes: what a terminal keeps of one line, on Linux; it drops the rest without a word


def line(prompt: str, instead: str) -> str:
    """What was typed up to Enter. ``instead`` says how to give what a line cannot hold.

    A terminal gives one line and holds back the others of a paste, so a private key would be cut off after its first:
    that is refused. Raises UsageError, EOFError at Ctrl-D and KeyboardInterrupt at Ctrl-C.
    """
    typed, is_all = _typed(prompt)
    if not is_all:
        raise UsageError("That was more than one line, and a prompt takes one; nothing was stored", hint=instead)
    return typed


if sys.platform == "win32":

    def _typed(prompt: str) -> tuple[str, bool]:
        import msvcrt
        import time
        from getpass import getpass

        typed = getpass(prompt, stream=sys.stderr)
        time.sleep(_MORE_SECONDS)
        is_all = not msvcrt.kbhit()
        while msvcrt.kbhit():
            msvcrt.getwch()  # the shell must not get it
        return typed, is_all

else:

    def _typed(prompt: str) -> tuple[str, bool]:
        import termios
        from select import select

        before = termios.tcgetattr(sys.stdin)
        silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        at_once = [*silent[:3], silent[3] & ~termios.ICANON, *silent[4:]]
        try:
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, silent)
            print(prompt, end="", file=sys.stderr, flush=True)
            typed = sys.stdin.readline()
            termios.tcsetattr(sys.stdin, termios.TCSANOW, at_once)  # a line without its end counts too
            more, _, _ = select([sys.stdin], [], [], _MORE_SECONDS)
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, before)  # the shell must not get what is left either
        if not typed:
            raise EOFError
        print(file=sys.stderr)
        return typed.removesuffix("\n"), not more and len(typed.encode(errors="replace")) < _LONGEST
