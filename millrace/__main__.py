"""`python -m millrace`: the command line."""

import sys

from millrace.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
