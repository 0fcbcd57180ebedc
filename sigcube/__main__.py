"""`python -m sigcube` is the command line."""

from sigcube.cli import app

if __name__ == "__main__":
    app()
