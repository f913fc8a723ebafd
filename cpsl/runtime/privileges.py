"""Giving up what a process may do, for good."""

from __future__ import annotations

from cpsl.runtime import kernel, seccomp


def confine(*, may_make_namespaces: bool) -> None:
    """Give up every privilege, for good. Raises OSError."""
    kernel.no_new_privileges()
    kernel.drop_capabilities()
    kernel.landlock_scope()
    seccomp.restrict(may_make_namespaces=may_make_namespaces)
