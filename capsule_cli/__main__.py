"""``python -m capsule_cli`` is the same as ``capsule``."""

import sys

from capsule_cli.main import main

sys.exit(main())
