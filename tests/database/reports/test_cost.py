"""What reading costs in a large batch: blocks of the database for a page, connections and memory for a report."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from tests.claims import Sender, new_sender, send
from worker.cursors import encode_cursor
from worker.intake import detect, read_groups
from worker.inputs import read_input
from worker.queries import outcomes
from worker.reports import report_csv, results_page
from worker.reports.source import UNLIMITED
from worker.runtime import Runtime
from worker.states import Outcome

ROWS = 200_000
# A page may look up each of its results in a handful of indexes of three levels each.
BLOCKS_PER_RESULT = 20
