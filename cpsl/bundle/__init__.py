"""A project folder as an archive, and back: deploy packs with this, engines unpack with it.

The archive is a gzipped tar of regular files only, in the same bytes for the same files. Unpacking trusts nothing. Of
``tarfile`` only the parser of single header blocks is used: on Python 3.11 to 3.13 a chain of symbolic links leads even
``filter="data"`` out of the target (the class of CVE-2025-4517), it accepts duplicate and absolute names, and it reads
an extended header of any length into memory.
"""

from cpsl.bundle.collecting import ALWAYS_IGNORED, IGNORE_FILES, Bundle, BundleFile, check_size, collect
from cpsl.bundle.names import Limits, check_name
from cpsl.bundle.packing import pack
from cpsl.bundle.unpacking import unpack

__all__ = [
    "ALWAYS_IGNORED",
    "IGNORE_FILES",
    "Bundle",
    "BundleFile",
    "Limits",
    "check_name",
    "check_size",
    "collect",
    "pack",
    "unpack",
]
