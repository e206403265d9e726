"""Remembered answers: at most one request at a time holds a key, and its first success is kept."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

# The time at which a key was taken tells its holders apart: an upload that lost its lock cannot answer any more.
_TAKE = text(
    "insert into idempotency_key (token_key, name, request, locked_until) "
    "values (:token, :name, :request, clock_timestamp() + :lock) "
    "on conflict (token_key, name) do update set request = excluded.request, body_sha256 = null, "
    "response_status = null, response_headers = null, response_body = null, "
    "created_at = excluded.created_at, locked_until = excluded.locked_until "
    "where idempotency_key.locked_until < clock_timestamp() "
    "or idempotency_key.created_at < clock_timestamp() - :lifetime and idempotency_key.locked_until is null "
    "returning created_at"
)
_FIND = text(
    "select request, body_sha256, response_status as status, response_headers as headers, "
    "response_body as body from idempotency_key where token_key = :token and name = :name"
)
_EXTEND = text(
    "update idempotency_key set locked_until = clock_timestamp() + :lock "
    "where token_key = :token and name = :name and created_at = :taken_at and response_status is null"
)
_ANSWER = text(
    "update idempotency_key set body_sha256 = :sha256, response_status = :status, response_body = :body, "
    "response_headers = cast(:headers as jsonb), locked_until = null "
    "where token_key = :token and name = :name and created_at = :taken_at and response_status is null"
)
_FREE = text(
    "delete from idempotency_key "
    "where token_key = :token and name = :name and created_at = :taken_at and response_status is null"
)
_DROP_EXPIRED = text(
    "delete from idempotency_key where (token_key, name) in "
    "(select token_key, name from idempotency_key "
    "where created_at < clock_timestamp() - :lifetime and coalesce(locked_until < clock_timestamp(), true) "
    "order by created_at limit 100 for update skip locked)"
)


class Holder(NamedTuple):
    """Who holds a key: a token, its name for the key, and when it took it."""

    token: int
    name: str
    taken_at: datetime


class Remembered(NamedTuple):
    """What is known of a key that is held or answered; `status` is None while it is held."""

    request: str
    body_sha256: bytes | None
    status: int | None
    headers: dict[str, str] | None
    body: bytes | None


def take_key(
    connection: Connection, token: int, name: str, request: str, *, lock: timedelta, lifetime: timedelta
) -> Holder | None:
    """The holder that the caller now is, for `lock`; None if another one holds it or it has its answer."""
    values = {"token": token, "name": name, "request": request, "lock": lock, "lifetime": lifetime}
    taken_at = connection.execute(_TAKE, values).scalar_one_or_none()
    return None if taken_at is None else Holder(token, name, taken_at)


def find_key(connection: Connection, token: int, name: str) -> Remembered | None:
    """What is known of a key; None if nothing is."""
    row = connection.execute(_FIND, {"token": token, "name": name}).one_or_none()
    return None if row is None else Remembered(*row)


def extend_key(connection: Connection, holder: Holder, lock: timedelta) -> bool:
    """Whether the key is still held by `holder`; it then is for `lock` from now."""
    return connection.execute(_EXTEND, {**holder._asdict(), "lock": lock}).rowcount == 1


def store_answer(connection: Connection, holder: Holder, sha256: bytes, status: int, headers: str, body: bytes) -> bool:
    """Whether the key was still held by `holder`; it then has its answer; `headers` is a JSON object."""
    answer: dict[str, Any] = {"sha256": sha256, "status": status, "headers": headers, "body": body}
    return connection.execute(_ANSWER, {**holder._asdict(), **answer}).rowcount == 1


def free_key(connection: Connection, holder: Holder) -> None:
    """Forget a key that `holder` holds without an answer."""
    connection.execute(_FREE, holder._asdict())


def drop_expired_keys(connection: Connection, lifetime: timedelta) -> int:
    """Forget up to 100 keys taken more than `lifetime` ago; returns their number."""
    return connection.execute(_DROP_EXPIRED, {"lifetime": lifetime}).rowcount
