"""The digest by mail: all of it in words, and nothing of it run as HTML."""

from datetime import UTC, datetime

from worker.notifications.letters import Letter, write_letter
from worker.notifications.message import Message
from worker.settings import Settings
from worker.states import EventType

DATA = {
    "date": "2026-11-21",
    "organization": "Müller <b>& Sons",
    "since": "2026-11-20T06:00:00.000000Z",
    "until": "2026-11-21T06:00:00.000000Z",
    "totals": {"batches": 3, "claimed": 12345, "released": 2, "failed": 7, "activated": 5, "ending": 4},
    "failures": [{"outcome": "not_found", "devices": 7}],
    "files": [
        {
            "batch_id": "bat_1",
            "file_name": "a\n.csv",
            "operation": "claim",
            "state": "rejected",
            "failed_rows": 7,
            "problem": "empty",
        }
    ],
    "activations": [{"project_id": "prj_1", "project": "Roofs", "devices": 5}],
    "ending": [{"project_id": "prj_1", "project": "Roofs", "devices": 4, "first": "2026-12-24"}],
    "deliveries": [{"endpoint_id": "end_1", "target": "example.com", "failing": 1, "dead": 2, "disabled": True}],
}


def letter(**changes: object) -> Letter:
    """The digest as a mail."""
    moment = datetime(2026, 11, 21, 6, tzinfo=UTC)
    message = Message("evt_1", EventType.DIGEST_DAILY, moment, "org_1", {**DATA, **changes}, None)
    return write_letter(Settings(public_url="https://claims.example.com/"), message)


def test_a_digest_says_all_that_it_knows() -> None:
    written = letter()
    assert written.subject == "Müller <b>& Sons, 2026-11-21: 12,345 devices claimed, 7 failures"
    for part in ("12,345", "not_found", "bat_1", "rejected: empty", "Roofs", "2026-12-24", "example.com", "2 given up"):
        assert part in written.text
        assert part in written.html
    assert "https://claims.example.com/v1/organizations/org_1/digests/2026-11-21.csv" in written.text
    assert "a\n.csv" not in written.text
    assert "Müller &lt;b&gt;&amp; Sons" in written.html


def test_a_quiet_day_is_told_in_a_few_lines() -> None:
    written = letter(failures=[], files=[], activations=[], ending=[], deliveries=[])
    assert "Files to look at first" not in written.text + written.html
    assert len(written.text.splitlines()) < 15
