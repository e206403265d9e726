"""The daily digest of each organization: what happened, what went wrong, what comes to an end."""

from worker.digests.table import digest_csv
from worker.digests.views import get_digest, list_digests
from worker.digests.writing import write_digests

__all__ = ["digest_csv", "get_digest", "list_digests", "write_digests"]
