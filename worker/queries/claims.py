"""Claims: inserted in the order of their keys, never changed, read again by a later statement."""

from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy import Connection, text

from worker.pgcopy import Column, copy_rows

Keys = npt.NDArray[np.int64]

_NOW = text("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")
_INSERT = text("""
    insert into claim (device_key, project_key, batch_key, claimed_at)
    select d.key, :project, :batch, clock_timestamp() from device d
    where d.key = any((select :keys)::bigint[]) and d.prepaid_months > 0
    order by d.key on conflict do nothing
    returning device_key""")
# As a subquery, so that the planner does not look at every element.
_HOLDERS = text("select device_key, project_key from claim where device_key = any((select :keys)::bigint[])")
_BARRED = text("select key from device where key = any((select :keys)::bigint[]) and prepaid_months = 0")
_LOCK = text("""
    select device_key from claim
    where device_key = any((select :keys)::bigint[]) and project_key = :project and batch_key = :batch
    order by device_key for update""")
_DELETE = text("delete from claim where device_key = any((select :keys)::bigint[])")
# PostgreSQL counts microseconds from 2000-01-01.
_POSTGRES_EPOCH = 946_684_800_000_000
COPY_PAYS_FROM = 1_000


def insert_claims(connection: Connection, project: int, batch: int, keys: Keys) -> Keys:
    """Claim those of the devices (ascending keys) that nobody holds and that carry a prepaid subscription.

    Returns the keys that were claimed.
    """
    if len(keys) >= COPY_PAYS_FROM:
        claimable = np.setdiff1d(keys, find_without_subscription(connection, keys), assume_unique=True)
        if _copy_claims(connection, project, batch, claimable):
            return claimable
    values = {"project": project, "batch": batch, "keys": keys}
    return _keys(connection.execute(_INSERT, values).scalars().all())


def find_holders(connection: Connection, keys: Keys) -> tuple[Keys, Keys]:
    """Which of the devices are held, and by the projects with which keys; device keys ascending."""
    rows = connection.execute(_HOLDERS, {"keys": keys}).all() if len(keys) else []
    found = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 2)
    found = found[np.argsort(found[:, 0])]
    return found[:, 0], found[:, 1]


def find_without_subscription(connection: Connection, keys: Keys) -> Keys:
    """Those of the devices that carry no prepaid subscription."""
    return _keys(connection.execute(_BARRED, {"keys": keys}).scalars().all()) if len(keys) else keys


def lock_claims(connection: Connection, project: int, batch: int, keys: Keys) -> Keys:
    """Those of the devices that the project holds by claims of the batch, ascending; those claims are locked."""
    values = {"project": project, "batch": batch, "keys": keys}
    return _keys(connection.execute(_LOCK, values).scalars().all())


def delete_claims(connection: Connection, keys: Keys) -> None:
    """End the claims of devices, which `lock_claims` has locked; the history keeps them."""
    connection.execute(_DELETE, {"keys": keys})


def _copy_claims(connection: Connection, project: int, batch: int, keys: Keys) -> bool:
    """Whether none of the devices was held: COPY is twice as fast, but one rival undoes it all."""
    now = int(connection.execute(_NOW).scalar_one()) - _POSTGRES_EPOCH
    columns = [
        Column("device_key", 8, keys),
        Column("project_key", 8, project),
        Column("batch_key", 8, batch),
        Column("claimed_at", 8, now),
    ]
    savepoint = connection.begin_nested()
    try:
        copy_rows(connection, "claim", [(columns, len(keys))])
    except psycopg.errors.UniqueViolation:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


def _keys(values: Any) -> Keys:  # noqa: ANN401  # a sequence of integers
    return np.array(values, dtype=np.int64)
