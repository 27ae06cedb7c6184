"""The kind `csv_drop`: a directory of delimited files."""

from adapters.csv_drop.adapter import CsvDrop
from adapters.csv_drop.build import build

__all__ = ["CsvDrop", "build"]
