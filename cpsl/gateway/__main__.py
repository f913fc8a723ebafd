"""``python -m cpsl.gateway``: what ``capsule gateway start`` runs in the background."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cpsl import config
from cpsl.errors import CapsuleError
from cpsl.gateway.settings import Settings, configured


def main() -> int:
    """Serve with the settings of this machine and of argv; an error is one line on standard error, and status 1."""
    try:
        settings = _settings()
        from cpsl.gateway.server import configure_logging, serve  # heavy, so after what argv may have wrong

        configure_logging()
        serve(settings)
    except CapsuleError as error:
        sys.stderr.write(f"{error.message}\n{error.hint or ''}".rstrip() + "\n")
        return 1
    return 0


def _settings() -> Settings:
    parser = argparse.ArgumentParser(prog="python -m cpsl.gateway")
    parser.add_argument("--host", default=config.get("gateway_host"))
    parser.add_argument("--port", type=int, default=config.get("gateway_port"))
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument(
        "--database-url",
        default=config.get("database_url"),
        help="PostgreSQL instead of a file in the data directory; with a password in it, set CAPSULE_DATABASE_URL",
    )
    parser.add_argument("--isolation", choices=("namespaces", "none"), default="namespaces")
    given = parser.parse_args()
    return configured(
        (given.data_dir or config.data_dir()).absolute(),
        host=given.host,
        port=given.port,
        database_url=given.database_url,
        isolation=given.isolation,
    )


if __name__ == "__main__":
    sys.exit(main())
