"""Commands, called in the process of a test."""

from typer.testing import CliRunner, Result

from sigcube.cli import app

__all__ = ["call"]


def call(*words: str) -> Result:
    """Run a command, given as its words without ``sigcube``."""
    return CliRunner().invoke(app, list(words))
