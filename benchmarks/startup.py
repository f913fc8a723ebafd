"""How long a command takes to start, against ``python -c pass``, in turns so that both see the same machine.

``status`` and the completion of a name ask a real gateway on loopback; their figures are with the network.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from benchmarks.support import APPS, gateway

ROUNDS = 15
REFERENCE = [sys.executable, "-c", "pass"]
COMMANDS = {
    "capsule --version": ([sys.executable, "-m", "capsule_cli", "--version"], 3),
    "capsule --help": ([sys.executable, "-m", "capsule_cli", "--help"], 9),
    "capsule secret --help": ([sys.executable, "-m", "capsule_cli", "secret", "--help"], 9),
    "import cpsl": ([sys.executable, "-c", "import cpsl"], 2),
    "capsule status": ([sys.executable, "-m", "capsule_cli", "status"], 0),
    "completion of a name": ([sys.executable, "-m", "capsule_cli", "__complete", "apps"], 0),
    "cpsl.Client()": ([sys.executable, "-c", "import cpsl; cpsl.Client('cps_x', 'http://127.0.0.1:9')"], 14),
}


def seconds(argv: list[str], env: dict[str, str]) -> float:
    """One run of a command, from outside."""
    began = time.perf_counter()
    subprocess.run(argv, env=env, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print the table."""
    with gateway(APPS / "chunks.py") as running:
        login = {"CAPSULE_TOKEN": running.token, "CAPSULE_GATEWAY_URL": running.url}
        env = {**os.environ, **running.env, **login}
        samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(ROUNDS):
            for name, (argv, _) in COMMANDS.items():
                samples[name].append(seconds(argv, env) / seconds(REFERENCE, env))
    print(f"{'command':<24}{'ratio':>8}{'min':>8}{'max':>8}{'budget':>8}")
    for name, ratios in samples.items():
        middle = statistics.median(ratios)
        print(f"{name:<24}{middle:>8.1f}{min(ratios):>8.1f}{max(ratios):>8.1f}{COMMANDS[name][1] or '-':>8}")


if __name__ == "__main__":
    main()
