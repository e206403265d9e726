"""Idempotency keys: the same request with the same key is carried out once and answered alike.

A key is reserved before the body is read; its answer is stored in the transaction that makes
the thing, so that a crash in between can neither lose nor double it. A reservation whose
process died lapses by itself.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection

from worker.errors import Invalid, WrongState
from worker.principal import Principal
from worker.queries import idempotency as queries
from worker.runtime import Runtime


class KeyReused(Invalid):
    """The idempotency key was used for another request."""

    problem_type = "idempotency-key-reused"


class KeyInFlight(WrongState):
    """The first request with this idempotency key is still being worked on."""

    problem_type = "idempotency-key-in-flight"


@dataclass(frozen=True)
class Answer:
    """What the first request was answered, and the same request is answered again, byte for byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Remembered:
    """A key that has its answer."""

    body_sha256: str
    answer: Answer

    def replay(self, body_sha256: str) -> Answer:
        """The first answer, for a request with the same body.

        Raises:
            KeyReused: the body is another one.
        """
        if body_sha256 != self.body_sha256:
            raise KeyReused("This key was used with another body.")
        return self.answer


@dataclass(frozen=True)
class Reservation:
    """A key that is held for the request being worked on."""

    runtime: Runtime
    holder: queries.Holder

    def extend(self) -> None:
        """Hold the key on, for another upload lease from now."""
        with self.runtime.transaction() as connection:
            queries.extend_key(connection, self.holder, _lock(self.runtime))

    def store(self, connection: Connection, body_sha256: str, answer: Answer) -> None:
        """Remember the answer, in the transaction that makes it true.

        Raises:
            KeyInFlight: the key lapsed and another request took it; nothing may be committed.
        """
        sha256 = bytes.fromhex(body_sha256)
        headers = json.dumps(dict(answer.headers))
        if not queries.store_answer(connection, self.holder, sha256, answer.status, headers, answer.body):
            raise KeyInFlight("This request took so long that another one with the same key went ahead.")

    def free(self) -> None:
        """Give the key back if it has no answer."""
        with self.runtime.transaction() as connection:
            queries.free_key(connection, self.holder)


def describe_request(method: str, path: str, query: str) -> str:
    """What tells two requests apart, but for their bodies: 64 hexadecimal digits."""
    options = urlencode(sorted(parse_qsl(query, keep_blank_values=True)))
    return hashlib.sha256(f"{method} {path}?{options}".encode("utf-8", "surrogatepass")).hexdigest()


def reserve(runtime: Runtime, principal: Principal, name: str, request: str) -> Reservation | Remembered:
    """Hold the key `name` for a request (see `describe_request`), or find the answer to an earlier one.

    Raises:
        KeyReused: the earlier request was another one.
        KeyInFlight: the earlier request has no answer yet.
    """
    while True:
        holder = _take(runtime, principal.token_key, name, request)
        if holder is not None:
            return Reservation(runtime, holder)
        found = _find(runtime, principal.token_key, name)
        if found is not None:
            return _remembered(found, request)


def _take(runtime: Runtime, token: int, name: str, request: str) -> queries.Holder | None:
    lifetime = runtime.settings.idempotency_lifetime
    with runtime.transaction() as connection:
        queries.drop_expired_keys(connection, lifetime)
        return queries.take_key(connection, token, name, request, lock=_lock(runtime), lifetime=lifetime)


def _find(runtime: Runtime, token: int, name: str) -> queries.Remembered | None:
    with runtime.transaction() as connection:
        return queries.find_key(connection, token, name)


def _remembered(found: queries.Remembered, request: str) -> Remembered:
    if found.request != request:
        raise KeyReused("This key was used for another request.")
    if found.status is None or found.body is None or found.body_sha256 is None:
        raise KeyInFlight("The first request with this key is still being worked on; ask again.")
    return Remembered(found.body_sha256.hex(), Answer(found.status, found.headers or {}, found.body))


def _lock(runtime: Runtime) -> timedelta:
    return runtime.settings.upload_lease
