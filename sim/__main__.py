"""`python -m sim` is the command `acksim`."""

import sys

from sim.cli import main

sys.exit(main())
