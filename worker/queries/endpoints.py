"""Endpoints and their secrets: made, changed, disabled by their receiver, deleted by their owner."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

_VALID = """from endpoint_secret s where s.endpoint_key = e.key
            and (s.expires_at is null or s.expires_at > clock_timestamp()) order by s.key desc"""
_VIEW = f"""
    select e.key, e.public_id, e.kind, e.target, e.description, e.events, e.project_key, e.failures, e.failing_since,
        e.retry_at, e.created_at, e.disabled_at, e.disabled_reason, o.public_id as organization_id,
        p.public_id as project_id,
        array(select s.created_at {_VALID}) as secrets_made, array(select s.expires_at {_VALID}) as secrets_end
    from endpoint e join organization o on o.key = e.organization_key left join project p on p.key = e.project_key
    where e.organization_key = :organization and e.deleted_at is null"""
_FIND = text(f"{_VIEW} and e.public_id = :endpoint_id")
_LIST = text(f"""{_VIEW}
    and (cast(:projects as bigint[]) is null or e.project_key = any(cast(:projects as bigint[])))
    order by e.key""")
_LOCK = text("select from endpoint where key = :endpoint for no key update")
_INSERT = text("""
    insert into endpoint (public_id, organization_key, project_key, kind, target, description, events)
    select :public_id, :organization, :project, :kind, :target, :description, :events
    where (select count(*) from endpoint where organization_key = :organization and deleted_at is null) < :most
    returning key""")
_CHANGE = text("""
    update endpoint set target = :target, events = :events, description = :description, project_key = :project,
        failures = case when target = :target then failures else 0 end,
        failing_since = case when target = :target then failing_since end,
        retry_at = case when target = :target then retry_at end
    where key = :endpoint""")
_DELETE = text("update endpoint set deleted_at = clock_timestamp() where key = :endpoint")
_FORGET_SECRETS = text("delete from endpoint_secret where endpoint_key = :endpoint")
_ENABLE = text("""
    update endpoint set disabled_at = null, disabled_reason = null, failures = 0, failing_since = null, retry_at = null
    where key = :endpoint""")
_HURRY = text("""
    update delivery set next_attempt_at = clock_timestamp()
    where endpoint_key = :endpoint and state = 'waiting' and lease_expires_at is null""")
_END_REST = text("update endpoint set retry_at = null where key = :endpoint and retry_at is not null")
_INSERT_SECRET = text("insert into endpoint_secret (endpoint_key, sealed) values (:endpoint, :sealed)")
# The newest `kept` of the former ones sign on until `lifetime` is over, and never longer than they would have.
_RETIRE = text("""
    with former as (
        select key, row_number() over (order by key desc) as place from endpoint_secret where endpoint_key = :endpoint
    )
    update endpoint_secret s set expires_at = least(s.expires_at, clock_timestamp()
        + case when former.place <= :kept then cast(:lifetime as interval) else interval '0' end)
    from former where s.key = former.key""")


def find_endpoint(connection: Connection, organization: int, endpoint_id: str) -> RowMapping | None:
    """All that is shown of one endpoint, with its keys."""
    values = {"organization": organization, "endpoint_id": endpoint_id}
    return connection.execute(_FIND, values).mappings().one_or_none()


def fetch_endpoints(connection: Connection, organization: int, projects: Sequence[int] | None) -> Sequence[RowMapping]:
    """The endpoints of an organization, oldest first; those of some projects only, unless that is None."""
    values = {"organization": organization, "projects": None if projects is None else list(projects)}
    return connection.execute(_LIST, values).mappings().all()


def lock_endpoint(connection: Connection, endpoint: int) -> None:
    """Let nobody else change it until the transaction ends; it may have been deleted meanwhile."""
    connection.execute(_LOCK, {"endpoint": endpoint})


def insert_endpoint(connection: Connection, values: Mapping[str, Any], most: int) -> int | None:
    """The key of a new endpoint; None if the organization has `most` of them."""
    return connection.execute(_INSERT, {**values, "most": most}).scalar_one_or_none()


def change_endpoint(connection: Connection, endpoint: int, values: Mapping[str, Any]) -> None:
    """Another target begins without failures."""
    connection.execute(_CHANGE, {**values, "endpoint": endpoint})


def delete_endpoint(connection: Connection, endpoint: int) -> None:
    """Nobody sees it any more; its deliveries stay, its secrets do not."""
    connection.execute(_FORGET_SECRETS, {"endpoint": endpoint})
    connection.execute(_DELETE, {"endpoint": endpoint})


def enable_endpoint(connection: Connection, endpoint: int) -> None:
    """As if it had never failed: what waits for it is due at once."""
    connection.execute(_ENABLE, {"endpoint": endpoint})
    connection.execute(_HURRY, {"endpoint": endpoint})


def end_rest(connection: Connection, endpoint: int) -> None:
    """Let what is due be tried at once, although the endpoint has failed before."""
    connection.execute(_END_REST, {"endpoint": endpoint})


def add_secret(connection: Connection, endpoint: int, sealed: bytes, keep_former: timedelta, kept: int) -> None:
    """A new secret; the newest `kept` of the former ones stay valid for `keep_former`."""
    connection.execute(_RETIRE, {"endpoint": endpoint, "lifetime": keep_former, "kept": kept})
    connection.execute(_INSERT_SECRET, {"endpoint": endpoint, "sealed": sealed})
