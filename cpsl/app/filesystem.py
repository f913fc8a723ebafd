"""Durable folders, mounted into the app."""

from __future__ import annotations

from cpsl.wire.names import check_resource_name


class FileSystem:
    """A filesystem of the workspace by its name, as in ``filesystems={"/data": cpsl.FileSystem("reports")}``.

    All users of the app see the same files. Create it with ``capsule fs create NAME``.
    Raises InvalidRequest (a ValueError) for a name that no filesystem can have.
    """

    def __init__(self, name: str) -> None:
        self.name = check_resource_name(name, "filesystem")

    def __repr__(self) -> str:
        return f"FileSystem({self.name!r})"
