"""What became of every row of a batch: pages, files, their signed manifest, and the input itself."""

from worker.reports.bundle import report_bundle
from worker.reports.csv_report import report_csv
from worker.reports.jsonl import report_jsonl
from worker.reports.manifest import signed_manifest, signing_key
from worker.reports.original import OriginalInput, original_input
from worker.reports.pages import kits_page, results_page

__all__ = [
    "OriginalInput",
    "kits_page",
    "original_input",
    "report_bundle",
    "report_csv",
    "report_jsonl",
    "results_page",
    "signed_manifest",
    "signing_key",
]
