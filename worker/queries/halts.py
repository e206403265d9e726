"""What operators have stopped: nothing new is begun (pause), or nothing new is accepted (drain)."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, text

from worker.states import Halt, Queue

# Looked up once for a statement. Of a `case` the planner expects nothing, where of a bare comparison with organizations
# it can expect to find no row, and plan accordingly. To be formatted with the organization's column.
MAY_RUN = """(select not exists (select from halt where kind = 'pause' and organization_key is null
        and (queue is null or queue = 'periodic')))
    and case when {} = any (array(select organization_key from halt where kind = 'pause'
        and organization_key is not null)) then false else true end"""
"""Whether periodic tasks may begin anything for an organization."""

_ORDER = text("""
    insert into halt (kind, queue, organization_key, reason) values (:kind, :queue, :organization, :reason)
    on conflict on constraint once_each do update set reason = excluded.reason""")
_LIFT = text("""
    delete from halt where queue is not distinct from cast(:queue as text)
      and organization_key is not distinct from cast(:organization as bigint)""")
_LIFT_ALL = text("delete from halt")
_LIST = text("""
    select h.kind, h.queue, o.public_id as organization_id, h.reason, h.created_at
    from halt h left join organization o on o.key = h.organization_key order by h.key""")
_HOLDS = text("""
    select exists (select from halt where kind = :kind and (queue is null or queue = cast(:queue as text))
        and (organization_key is null or organization_key = cast(:organization as bigint)))""")


def order_halt(
    connection: Connection, kind: Halt, queue: Queue | None, organization: int | None, reason: str | None
) -> None:
    """Halt a queue, an organization or, without either, everything."""
    connection.execute(_ORDER, {"kind": kind, "queue": queue, "organization": organization, "reason": reason})


def lift_halts(connection: Connection, queue: Queue | None, organization: int | None) -> int:
    """End the halts of a queue or an organization, or all of them; returns how many there were."""
    if queue is None and organization is None:
        return connection.execute(_LIFT_ALL).rowcount
    return connection.execute(_LIFT, {"queue": queue, "organization": organization}).rowcount


def fetch_halts(connection: Connection) -> Sequence[RowMapping]:
    """All halts, oldest first."""
    return connection.execute(_LIST).mappings().all()


def is_halted(connection: Connection, kind: Halt, queue: Queue | None, organization: int | None) -> bool:
    """Whether such a halt holds for this queue and this organization."""
    values = {"kind": kind, "queue": queue, "organization": organization}
    return bool(connection.execute(_HOLDS, values).scalar_one())
