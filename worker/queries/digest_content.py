"""What digests tell, for many organizations at once: each statement reads what happened, not what there is."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, TextClause, text

from worker.queries.digests import DueDigest

_DUE = """
    with due as materialized (
        select * from unnest(cast(:organizations as bigint[]), cast(:after as timestamptz[]),
            cast(:since as timestamptz[]), cast(:due_at as timestamptz[])) as d (organization_key, after, since, due_at)
    )"""
# "offset 0" keeps this one index scan for each organization, whatever the statistics say.
_ENDED = f"""{_DUE}, ended as materialized (
        select b.* from due cross join lateral (
            select key, organization_key, project_key, public_id, operation, state, file_name, rows_total, failed_rows,
                totals, problem
            from batch where organization_key = due.organization_key
                and finished_at > due.after and finished_at <= due.due_at offset 0) b
    )"""
_BATCHES = text(f"""{_ENDED}
    select organization_key, operation, state, count(*) as batches from ended group by 1, 2, 3 order by 1, 2, 3""")
_OUTCOMES = text(f"""{_ENDED}
    select e.organization_key, t.outcome, sum(t.devices::bigint)::bigint as devices
    from ended e cross join lateral jsonb_each_text(e.totals) as t (outcome, devices)
    group by 1, 2 order by 1, 3 desc, 2""")
_CLAIMS = text(f"""{_ENDED}
    select e.organization_key, p.public_id as project_id, p.name as project,
        sum((e.totals ->> 'claimed')::bigint)::bigint as devices
    from ended e join project p on p.key = e.project_key where e.totals ? 'claimed'
    group by 1, 2, 3 order by 1, 4 desc, 2""")
_FILES = text(f"""{_ENDED}, counted as (
        select e.*, greatest(0, coalesce(failed_rows, 0) - (
            select coalesce(sum(mended_rows), 0) from batch child
            where parent_key = e.key and child.state not in ('reverting', 'reverted')))::int as open_rows
        from ended e where failed_rows > 0 or state in ('rejected', 'failed')
    ), ranked as (
        select *, row_number() over (partition by organization_key
            order by state in ('rejected', 'failed') desc, open_rows desc, key) as rank
        from counted where open_rows > 0 or state in ('rejected', 'failed')
    )
    select organization_key, public_id as batch_id, file_name, operation, state, rows_total, open_rows as failed_rows,
        problem ->> 'type' as problem
    from ranked where rank <= :most order by organization_key, rank""")
_STARTED = text(f"""{_DUE}, started as materialized (
        select device_key, starts_at from subscription
        where starts_at > (select min(since) from due) and starts_at <= (select max(due_at) from due)
    )
    select due.organization_key, p.public_id as project_id, p.name as project, count(*) as devices
    from started s join claim c on c.device_key = s.device_key join project p on p.key = c.project_key
    join due on due.organization_key = p.organization_key and s.starts_at > due.since and s.starts_at <= due.due_at
    group by 1, 2, 3 order by 1, 4 desc, 2""")
_ENDING = text(f"""{_DUE}, ending as materialized (
        select device_key, ends_at from subscription
        where state = 'active' and reminded in (0, 30, 7, 1) and ends_at > (select min(due_at) from due)
            and ends_at <= (select max(due_at) from due) + interval '60 days'
    )
    select due.organization_key, p.public_id as project_id, p.name as project,
        (s.ends_at at time zone o.time_zone)::date as day, count(*) as devices
    from ending s join claim c on c.device_key = s.device_key join project p on p.key = c.project_key
    join organization o on o.key = p.organization_key
    join due on due.organization_key = p.organization_key
        and s.ends_at > due.due_at and s.ends_at <= due.due_at + interval '60 days'
    group by 1, 2, 3, 4 order by 1, 4, 5 desc, 2""")
# The path of a webhook's address can be as good as a password.
_DELIVERIES = text(f"""{_DUE}
    select due.organization_key, e.public_id as endpoint_id, e.kind,
        case e.kind when 'webhook' then substring(e.target from '^[a-z]+://(?:[^/?#]*@)?([^/?#]+)') else e.target end
            as target,
        failing.deliveries as failing, dead.deliveries as dead, e.disabled_at is not null as disabled
    from due join endpoint e on e.organization_key = due.organization_key and e.deleted_at is null
    cross join lateral (select count(*) as deliveries from delivery
        where endpoint_key = e.key and state = 'waiting' and attempts > 0) failing
    cross join lateral (select count(*) as deliveries from delivery
        where endpoint_key = e.key and state = 'dead') dead
    where failing.deliveries > 0 or dead.deliveries > 0 or e.disabled_at is not null
    order by 1, dead.deliveries + failing.deliveries desc, e.key""")


def count_ended(connection: Connection, due: Sequence[DueDigest]) -> Sequence[RowMapping]:
    """(operation, state, batches) of what ended."""
    return _read(connection, _BATCHES, due)


def count_outcomes(connection: Connection, due: Sequence[DueDigest]) -> Sequence[RowMapping]:
    """(outcome, devices) of what ended, the most frequent first."""
    return _read(connection, _OUTCOMES, due)


def count_claimed(connection: Connection, due: Sequence[DueDigest]) -> Sequence[RowMapping]:
    """(project_id, project, devices) that were claimed, the most first."""
    return _read(connection, _CLAIMS, due)


def find_worst_files(connection: Connection, due: Sequence[DueDigest], most: int) -> Sequence[RowMapping]:
    """(batch_id, file_name, operation, state, rows_total, failed_rows, problem) of up to `most` for each organization.

    Rows that a later batch has mended do not count as failed; what failed as a whole comes first.
    """
    return connection.execute(_FILES, {**_arrays(due), "most": most}).mappings().all()


def count_started(connection: Connection, due: Sequence[DueDigest]) -> Sequence[RowMapping]:
    """(project_id, project, devices) whose prepaid time began, the most first."""
    return _read(connection, _STARTED, due)


def count_ending(connection: Connection, due: Sequence[DueDigest]) -> Sequence[RowMapping]:
    """(project_id, project, day, devices) whose prepaid time ends in the next 60 days, the first first."""
    return _read(connection, _ENDING, due)


def find_troubled_endpoints(connection: Connection, due: Sequence[DueDigest]) -> Sequence[RowMapping]:
    """(endpoint_id, kind, target, failing, dead, disabled) of endpoints that do not get everything."""
    return _read(connection, _DELIVERIES, due)


def _read(connection: Connection, statement: TextClause, due: Sequence[DueDigest]) -> Sequence[RowMapping]:
    return connection.execute(statement, _arrays(due)).mappings().all()


def _arrays(due: Sequence[DueDigest]) -> dict[str, object]:
    return {
        "organizations": [each.organization_key for each in due],
        "after": [each.after for each in due],
        "since": [each.since for each in due],
        "due_at": [each.due_at for each in due],
    }
