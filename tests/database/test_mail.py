"""Reports by mail, over a real mail server."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from tests.certificates import self_signed
from tests.claims import Sender, add_devices, claim, new_sender
from tests.deliveries import add_endpoint, deliver_all, fetch_deliveries, tell
from tests.mailbox import PASSWORD, USER, Mailbox, running_mailbox
from worker.embedded.ports import free_port
from worker.errors import EnvironmentProblem
from worker.notifications.mail import Mailer
from worker.notifications.message import Answer, Message, Target
from worker.operations.deliveries import deliver, failed_rows
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings, load_settings
from worker.states import EndpointKind, EventType

ADDRESS = "reports@acme.example"


@pytest.fixture(scope="module")
def shared_mailbox() -> Iterator[Mailbox]:
    """One for all tests of this module."""
    with running_mailbox() as started:
        yield started


@pytest.fixture
def mailbox(shared_mailbox: Mailbox) -> Mailbox:
    """The same, emptied."""
    for kept in (shared_mailbox.received, shared_mailbox.recipients, shared_mailbox.users, shared_mailbox.refusals):
        kept.clear()
    return shared_mailbox


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    """Those of an installation that sends mail."""
    changes = {
        "smtp_url": SecretStr(f"smtp://127.0.0.1:{mailbox.port}"),
        "mail_from": "claimd <claimd@acme.example>",
        "public_url": "https://claimd.acme.example/",
        "hold_window": dt.timedelta(0),
    }
    return settings.model_copy(update=changes)


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Someone with three devices, who wants mail."""
    add_devices(runtime, ["a", "b", "c"])
    sender = new_sender(runtime, "acme")
    add_endpoint(runtime, sender, ADDRESS, EndpointKind.EMAIL, secret=False)
    return sender


def test_a_batch_is_reported_with_the_rows_that_failed(runtime: Runtime, sender: Sender, mailbox: Mailbox) -> None:
    batch = claim(
        runtime,
        sender,
        b"device_id,note\na,first\nunknown,<b>second</b>\n=bad,third\nb,fourth\n",
        file_name="pallet.csv",
    )
    deliver(runtime)
    (mail,) = mailbox.received
    assert mailbox.recipients == [ADDRESS]
    assert mail["Subject"] == "Batch completed: pallet.csv, 2 of 4 rows failed"
    assert (mail["From"], mail["To"]) == ("claimd <claimd@acme.example>", ADDRESS)
    text = _part(mail, "plain")
    assert f"The claim batch {batch['id']} is completed." in text
    assert "  claimed                        2\n" in text
    assert f"https://claimd.acme.example/v1/claim-batches/{batch['id']}/results.csv\n" in text
    assert "<td>not_found</td>" in _part(mail, "html")
    (attached,) = mail.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("text/csv", f"{batch['id']}-failed.csv")
    lines = str(attached.get_content()).removeprefix("\ufeff").splitlines()
    assert lines[0] == "device_id,note,row,line,outcome,device_id,detail,hint"
    assert [line.partition(",")[0] for line in lines[1:]] == ["unknown", "'=bad"]


def test_a_batch_without_failures_has_nothing_attached(runtime: Runtime, sender: Sender, mailbox: Mailbox) -> None:
    claim(runtime, sender, b"device_id\na\n", file_name="<script>.csv", reference="x & y")
    deliver(runtime)
    (mail,) = mailbox.received
    assert mail["Subject"] == "Batch completed: <script>.csv"
    assert list(mail.iter_attachments()) == []
    html = _part(mail, "html")
    assert "<b>&lt;script&gt;.csv</b>" in html
    assert "x &amp; y" in html


def test_a_rejected_batch_is_reported_with_its_problem(runtime: Runtime, sender: Sender, mailbox: Mailbox) -> None:
    batch = claim(runtime, sender, b"colour,size\nred,1\n", file_name="wrong.csv")
    deliver(runtime)
    (mail,) = mailbox.received
    assert mail["Subject"] == "Batch rejected: wrong.csv"
    assert batch["problem"]["title"] in _part(mail, "plain")
    assert batch["problem"]["detail"] in _part(mail, "plain")


def test_what_users_name_begins_no_header(runtime: Runtime, sender: Sender, mailbox: Mailbox) -> None:
    data = {
        "operation": "claim",
        "state": "completed",
        "batch_id": "b",
        "file_name": "a\r\nBcc: all@acme.example\r\n\r\nb",
    }
    tell(runtime, sender, kind=EventType.BATCH_COMPLETED, data=data)
    deliver(runtime)
    (mail,) = mailbox.received
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Batch completed: a Bcc: all@acme.example b"
    assert mailbox.recipients == [ADDRESS]


# The digest's document and its letter are tried where they are made.
@pytest.mark.parametrize("kind", [kind for kind in EventType if kind is not EventType.DIGEST_DAILY])
def test_every_event_has_its_mail(kind: EventType, runtime: Runtime, sender: Sender, mailbox: Mailbox) -> None:
    tell(runtime, sender, kind=kind, data=_DATA)
    deliver(runtime)
    (mail,) = mailbox.received
    assert mail["X-Claimd-Event"] == fetch_deliveries(runtime)[0]["event_id"]
    assert mail["Subject"]
    for part in ("plain", "html"):
        assert not {"None", "Undefined", "{{"} & set(_part(mail, part).split())


def test_a_mail_that_was_refused_is_sent_again_under_the_same_id(
    runtime: Runtime, sender: Sender, mailbox: Mailbox
) -> None:
    mailbox.refusals[:] = ["550 no such user", "451 not\tnow"]
    tell(runtime, sender)
    deliver(runtime)
    (refused,) = fetch_deliveries(runtime)
    assert (refused["state"], refused["last_status"], refused["last_error"]) == ("waiting", 550, "no such user")
    deliver_all(runtime)
    (delivered,) = fetch_deliveries(runtime)
    assert (delivered["state"], delivered["last_status"], delivered["attempts"]) == ("delivered", 250, 3)
    (mail,) = mailbox.received
    assert mail["Message-ID"].startswith(f"<{delivered['event_id']}.")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the test's own server
def test_a_password_is_sent_through_tls_only(runtime: Runtime, tmp_path: Path) -> None:
    server, trust = self_signed(tmp_path, "localhost")
    with running_mailbox(tls=server, wants_password=True) as safe, running_mailbox() as clear:
        answers = [
            _send(runtime, f"smtp://{USER}:{quote(password, safe='')}@localhost:{mailbox.port}", trusted)
            for mailbox, password, trusted in (
                (safe, PASSWORD, trust),
                (safe, "wrong", trust),
                (safe, PASSWORD, None),
                (clear, PASSWORD, trust),
            )
        ]
        assert [answer.delivered for answer in answers] == [True, False, False, False]
        assert answers[1].status == 535
        assert "self-signed" in (answers[2].error or "")
        assert "STARTTLS" in (answers[3].error or "")
        assert (safe.users, clear.received) == ([USER], [])


def test_a_mail_server_that_is_not_there_is_an_answer(runtime: Runtime) -> None:
    answer = _send(runtime, f"smtp://127.0.0.1:{free_port()}")
    assert (answer.delivered, answer.status) == (False, None)
    assert answer.error


@pytest.mark.parametrize("url", ["http://acme.example", "acme.example:25", "smtp://:25", "smtp://acme.example:0"])
def test_what_is_no_mail_server_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="CLAIMD_SMTP_URL"):
        load_settings(smtp_url=url)


def test_without_a_mail_server_mail_waits_and_says_why(runtime: Runtime, sender: Sender, settings: Settings) -> None:
    tell(runtime, sender)
    without = build_runtime(settings.model_copy(update={"smtp_url": None}))
    deliver(without)
    without.close()
    (waiting,) = fetch_deliveries(runtime)
    assert (waiting["state"], waiting["last_error"]) == ("waiting", "no mail server is set: CLAIMD_SMTP_URL")


def test_what_is_too_long_for_a_mail_is_cut_at_a_row(runtime: Runtime, sender: Sender, mailbox: Mailbox) -> None:
    rows = "".join(f"unknown-{number}\n" for number in range(10_000))
    batch = claim(runtime, sender, f"device_id\n{rows}".encode())
    endpoint = fetch_deliveries(runtime)[0]["endpoint_key"]
    whole = failed_rows(runtime, endpoint, batch["id"])
    cut = failed_rows(runtime, endpoint, batch["id"], most=500_000)
    assert whole is not None
    assert cut is not None
    assert (whole.complete, cut.complete) == (True, False)
    assert whole.content.count(b"\n") == 10_001
    assert 0 < len(cut.content) <= 500_000
    assert whole.content.startswith(cut.content)
    assert cut.content.endswith(b"\r\n")
    assert mailbox.received == []


def test_an_endpoint_of_a_project_is_told_no_more_than_the_project_sees(runtime: Runtime, sender: Sender) -> None:
    rival = new_sender(runtime, "rival", sender.principal.organization_id)
    claim(runtime, rival, b"device_id\na\n")
    batch = claim(runtime, sender, b"device_id\na\n")
    everything = add_endpoint(runtime, sender, ADDRESS, EndpointKind.EMAIL, secret=False)
    own = add_endpoint(runtime, sender, ADDRESS, EndpointKind.EMAIL, secret=False, project_id=sender.project_id)
    seen = [failed_rows(runtime, endpoint, batch["id"]) for endpoint in (everything, own)]
    assert [each is not None and b"rival" in each.content for each in seen] == [True, False]


def _send(runtime: Runtime, smtp_url: str, trust: ssl.SSLContext | None = None) -> Answer:
    settings = runtime.settings.model_copy(update={"smtp_url": SecretStr(smtp_url)})
    message = Message("evt_1", EventType.PING, dt.datetime.now(dt.UTC), "org_1", {}, None)
    target = Target(1, EndpointKind.EMAIL, ADDRESS, ())
    return asyncio.run(Mailer(settings, lambda *_: None, trust).send(target, message))


def _part(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body((subtype,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


_DATA = {
    "operation": "claim",
    "state": "completed",
    "batch_id": "bat_1",
    "project_id": "prj_1",
    "rows_total": 1,
    "totals": {"claimed": 1},
    "hold_until": "2026-11-21T10:00:00+00:00",
    "activate_at": "2026-11-22T10:00:00+00:00",
    "activated": 5,
    "starts_at": "2026-11-22T10:00:00Z",
    "prepaid_months": {"12": 5},
    "days": 30,
    "count": 2,
    "ends_from": "2026-12-21T10:00:00Z",
    "ends_to": "2026-12-22T10:00:00Z",
    "device_ids": ["a", "b"],
}
