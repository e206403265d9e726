"""(c): how it would be done without much thought, one transaction for each row, by the ORM."""

import csv
import time
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import BigInteger, DateTime, Engine, SmallInteger, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.reference import BATCH_KEY
from worker.states import Outcome

# The first one, which `claimd up` made.
_PROJECT_KEY = 1


class Base(DeclarativeBase):
    """The tables, as far as they are needed."""


class Device(Base):
    """One of the inventory."""

    __tablename__ = "device"
    key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    device_id: Mapped[str]


class Claim(Base):
    """Who holds a device."""

    __tablename__ = "claim"
    device_key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    project_key: Mapped[int]
    batch_key: Mapped[int] = mapped_column(BigInteger)
    claimed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), insert_default=func.clock_timestamp())


class Result(Base):
    """What became of a row."""

    __tablename__ = "result"
    batch_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, default=0)
    outcome: Mapped[int] = mapped_column(SmallInteger)
    reason: Mapped[int] = mapped_column(SmallInteger, default=0)
    named_by: Mapped[int] = mapped_column(SmallInteger, default=1)
    device_key: Mapped[int | None] = mapped_column(BigInteger)


def run_by_row(engine: Engine, claims: Path, rows: int) -> float:
    """Claim the first `rows` of the file; returns the seconds that it took."""
    started = time.perf_counter()
    with claims.open(encoding="utf-8", newline="") as file, Session(engine) as session:
        for row, record in enumerate(islice(csv.DictReader(file), rows), start=1):
            _claim(session, row, record["device_id"])
            session.commit()
            session.expunge_all()
    return time.perf_counter() - started


def _claim(session: Session, row: int, device_id: str) -> None:
    device = session.scalars(select(Device).where(Device.device_id == device_id)).one_or_none()
    if device is not None:
        session.add(Claim(device_key=device.key, project_key=_PROJECT_KEY, batch_key=BATCH_KEY))
    outcome = Outcome.NOT_FOUND if device is None else Outcome.CLAIMED
    key = None if device is None else device.key
    session.add(Result(batch_key=BATCH_KEY, row=row, outcome=outcome.number, device_key=key))
