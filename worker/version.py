"""The version that reports, metrics and `claimd --version` show."""

__version__ = "0.1.0"
