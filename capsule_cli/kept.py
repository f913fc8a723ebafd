"""The files that Capsule keeps on a machine: one table for the documentation and the tests."""

from __future__ import annotations

from typing import NamedTuple

CONFIG, STATE, DATA = "config", "state", "data"


class Kept(NamedTuple):
    """A file or folder (with a slash at its end) in one of the three folders; ``name`` may be a pattern."""

    folder: str
    name: str
    help: str


FILES = (
    Kept(CONFIG, "config.toml", "Profiles and settings; never a token."),
    Kept(CONFIG, "credentials.json", "Tokens, and the gateway's master key, where there is no keyring."),
    Kept(STATE, "deploys.json", "Which folder was deployed as which app; may be deleted."),
    Kept(STATE, "chat/sessions.json", "The last conversation with each app, for `chat --continue`; may be deleted."),
    Kept(STATE, "chat/*.history", "What was typed in conversations, for the arrow keys; may be deleted."),
    Kept(STATE, "update.json", "When a newer version was looked for, and which there is; may be deleted."),
    Kept(DATA, "capsule.db", "The gateway's store (SQLite): accounts, apps, conversations, logs, sealed secrets."),
    Kept(DATA, "capsule.db-wal", "What the store has not taken over yet; belongs to it."),
    Kept(DATA, "capsule.db-shm", "As above."),
    Kept(DATA, "store-id", "Which master key the store needs."),
    Kept(DATA, "gateway.json", "Address and process of the gateway that runs."),
    Kept(DATA, "gateway.lock", "Held by the gateway that runs."),
    Kept(DATA, "gateway.log", "What the gateway itself says: `capsule gateway logs`."),
    Kept(DATA, "bootstrap.json", "With what its owner logs in on this machine; new at each start."),
    Kept(DATA, "versions/", "The code of the versions that are kept."),
    Kept(DATA, "images/", "Packages that apps asked for, built once."),
    Kept(DATA, "fs/", "Filesystems, a folder each."),
    Kept(DATA, "files/", "Files that users sent to apps."),
    Kept(DATA, "uploads/", "Files that are half here."),
    Kept(DATA, "reserve", "Space for the store when the disk is full otherwise."),
    Kept(DATA, "tmp/", "Emptied at each start."),
)
