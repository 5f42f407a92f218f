"""`python -m bundler` is `aiws-bundle`."""

from bundler.cli import main

if __name__ == "__main__":
    main()
