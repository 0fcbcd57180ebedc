"""`python -m sigcube` and `sigcube` are the command line."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; an interrupt while it is still being imported ends it as one later does."""
    try:
        from sigcube.cli import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except RuntimeError as error:
        # Up to Python 3.11, a class statement wraps what interrupts it, and imports are full of them.
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        sys.exit(130)


if __name__ == "__main__":
    main()
