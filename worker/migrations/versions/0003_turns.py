"""Turns between organizations, and halts that operators order."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TURNS = """
alter table work_item add column organization_key bigint;
update work_item set organization_key = b.organization_key from batch b where b.key = work_item.batch_key;
alter table work_item alter column organization_key set not null;
create index work_item_waiting on work_item (queue, organization_key, batch_key, number)
    where done_at is null and lease_expires_at is null;
create index work_item_running on work_item (organization_key) where lease_expires_at is not null;
create table halt (
    key bigint generated always as identity primary key,
    kind text not null check (kind in ('pause', 'drain')),
    queue text check (queue in ('interactive', 'bulk', 'periodic')),
    organization_key bigint references organization,
    reason text check (length(reason) <= 500),
    created_at timestamptz not null default clock_timestamp(),
    constraint once_each unique nulls not distinct (kind, queue, organization_key),
    constraint one_scope check (queue is null or organization_key is null)
);
comment on table halt is 'pause: nothing new is begun; drain: nothing new is accepted; without queue and organization: everywhere';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TURNS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        "drop table halt; drop index work_item_running, work_item_waiting; alter table work_item drop column organization_key"
    )
