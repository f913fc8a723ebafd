"""The ``capsule`` command. Not a Python API: scripts use ``cpsl``."""
