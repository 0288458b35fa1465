"""`python -m crossloom.cli`: the command line where the script `crossloom` is not on the path."""

import sys

from crossloom.cli.app import main

sys.exit(main())
