"""`python -m b2stream` is the `b2stream` command."""

from b2stream.cli import main

if __name__ == "__main__":
    main()
