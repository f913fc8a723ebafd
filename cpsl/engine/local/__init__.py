"""Runtimes as processes of this machine."""

from cpsl.engine.local.engine import LocalEngine

__all__ = ["LocalEngine"]
