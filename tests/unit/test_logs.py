"""Log lines: one format for everybody, ids in each line, passwords in none."""

import json
import logging
import warnings

import pytest
import structlog

from worker.logs import bind, configure_logging, mask_passwords
from worker.settings import Settings

URL = "redis://:s3cret@host:6379/0"


def _lines(capture: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capture.readouterr().err.splitlines()]


def test_ours_and_the_libraries_lines_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    structlog.get_logger("claimd").info("chunk applied", chunk=3)
    logging.getLogger("celery.worker").warning("lost %s", "it")
    ours, theirs = _lines(capsys)
    assert (ours["event"], ours["chunk"], ours["level"], ours["logger"]) == ("chunk applied", 3, "info", "claimd")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("lost it", "warning", "celery.worker")
    assert set(theirs) == set(ours) - {"chunk"}


def test_bound_ids_are_in_every_line_of_the_block_and_in_none_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    with bind(batch_id="bat_1"), bind(request_id="r"):
        logging.getLogger("sqlalchemy").error("gone")
    structlog.get_logger().info("after")
    inside, after = _lines(capsys)
    assert (inside["batch_id"], inside["request_id"]) == ("bat_1", "r")
    assert not {"batch_id", "request_id"} & set(after)


def test_no_password_of_a_url_is_logged_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    structlog.get_logger().error("failed", url=URL, error=repr(URL), exc_info=ValueError(URL))
    logging.getLogger("kombu").error("cannot connect to %s", URL)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(URL, UserWarning, stacklevel=1)
    text = capsys.readouterr().err
    assert text.count("redis://:***@host") >= 5
    assert "s3cret" not in text


def test_lines_for_a_terminal_are_readable(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="text", log_level="warning"))
    structlog.get_logger().info("not shown")
    structlog.get_logger().warning("batch rejected", rows=7)
    text = capsys.readouterr().err
    assert "batch rejected" in text
    assert "not shown" not in text
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://me:pw@h/db?x=1", "postgresql://me:***@h/db?x=1"),
        ("at http://h:8000/a@b today", "at http://h:8000/a@b today"),
        ("a://u:p@h and b://v:q@h", "a://u:***@h and b://v:***@h"),
        ("postgresql://me:p:w@h/db", "postgresql://me:***@h/db"),
        ("no url: me:pw@h", "no url: me:pw@h"),
    ],
)
def test_passwords_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_passwords(text) == masked
