"""`python -m sigcube` and `sigcube` are the command line."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; an interrupt while it is still being imported ends it as one later does."""
    try:
        from sigcube.cli import app
    except KeyboardInterrupt:
        sys.exit(130)
    app()


if __name__ == "__main__":
    main()
