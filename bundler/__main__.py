"""`python -m bundler` is `aiws-bundle`."""

import os.path
import sys

# `-m` puts the current folder first, where anybody's `json.py` may lie. It stays only where this package lies in it.
# (os is loaded when Python starts; pathlib would be looked up in that folder.)
if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != os.path.realpath(f"{__file__}/../.."):
    del sys.path[0]

from bundler.cli import main

if __name__ == "__main__":
    main()
