"""Formats of raw tables, all read by one set of rules for numbers, missing values, units and text."""

from sigcube.readers.formats.columns import FORMATS, Column, Format, Table, converter
from sigcube.readers.formats.fixed import RowSource, text_lines
from sigcube.readers.formats.reading import read_chunks, read_rows, read_table
from sigcube.readers.formats.unpacking import MOST_WHOLE, guarded, read_whole, unreadable

__all__ = [
    "FORMATS",
    "MOST_WHOLE",
    "Column",
    "Format",
    "RowSource",
    "Table",
    "converter",
    "guarded",
    "read_chunks",
    "read_rows",
    "read_table",
    "read_whole",
    "text_lines",
    "unreadable",
]
