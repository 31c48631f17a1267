"""`python -m acksim` is the command `acksim`."""

import sys

from acksim.cli import main

sys.exit(main())
