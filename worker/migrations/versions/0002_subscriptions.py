"""Subscriptions, notifications, and what beat asks for at intervals."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CLOCK = """
create table clock (
    only_one boolean primary key default true check (only_one),
    ahead interval not null default interval '0' check (ahead >= interval '0'),
    moved_at timestamptz not null default clock_timestamp()
);
insert into clock default values;
comment on table clock is 'by how much business time is ahead of the clock: 0 but where somebody tries things out';
create function business_now() returns timestamptz language sql stable as
    $$ select clock_timestamp() + ahead from clock $$;
create function period_end(starts_at timestamptz, months int, time_zone text) returns timestamptz
    language sql stable strict as
    $$ select (starts_at at time zone time_zone + make_interval(months => months)) at time zone time_zone $$;
comment on function period_end is 'calendar months of local time; a day that the last month lacks becomes its last day';
alter table organization add column time_zone text not null default 'UTC' check (length(time_zone) between 1 and 64);
"""

BATCHES = """
alter table batch
    drop constraint batch_operation_check,
    drop constraint batch_source_check,
    add constraint batch_operation_check check (operation in ('claim', 'revert', 'plan')),
    add constraint batch_source_check check (source in ('csv', 'json', 'devices')),
    alter column upload_key drop not null,
    add column accepted_on date,
    add column activate_on date,
    add column hold_until timestamptz,
    add column activate_at timestamptz,
    add column failed_rows int check (failed_rows >= 0),
    add column mended_rows int check (mended_rows >= 0),
    add column input_pruned_at timestamptz,
    add column results_pruned_at timestamptz,
    add constraint only_devices_come_later check (upload_key is not null or source = 'devices' or input_pruned_at is not null),
    add constraint revert_has_a_parent check (operation <> 'revert' or parent_key is not null),
    add constraint held_where_claims_stay check ((hold_until is not null)
        = (operation = 'claim' and state in ('completed', 'cancelled', 'reverting', 'reverted'))),
    add constraint activated_after_the_hold check ((activate_at is null) = (hold_until is null)
        and activate_at >= hold_until),
    add constraint only_claims_are_reverted check (state not in ('reverting', 'reverted') or operation = 'claim');
comment on column batch.source is 'devices: the input is written by resolve, from what the parent or the project holds';
comment on column batch.accepted_on is 'the day in the time zone of the organization: dates in rows are measured by it';
comment on column batch.mended_rows is 'how many failed rows of its parent it brought to success, once it has ended';
comment on column batch.activate_on is 'of a claim: the wish for all its rows; of a plan: null means now';

alter table result drop constraint result_outcome_check,
    add constraint result_outcome_check check (outcome between 1 and 13);
drop index result_failures;
create index result_failures on result (batch_key, outcome, row, position) where outcome not in (1, 10, 13);

create table mended_row (
    batch_key bigint not null,
    row int not null check (row >= 1),
    child_key bigint not null,
    primary key (batch_key, row)
);
create index on mended_row (child_key);
create index batch_ended on batch (organization_key, finished_at) where finished_at is not null;
create index batch_input_kept on batch (finished_at) where input_pruned_at is null and finished_at is not null;
create index batch_results_kept on batch (finished_at) where results_pruned_at is null and finished_at is not null;
create table pruning (
    batch_key bigint primary key references batch
);
comment on table pruning is 'batches whose results are being deleted, in steps; they say that they have none any more';
comment on table mended_row is 'failed rows that a later batch with this one as its parent brought to success';
"""

SUBSCRIPTIONS = """
create index claim_of_batch on claim (batch_key, device_key);
create table activation (
    batch_key bigint primary key,
    activate_at timestamptz not null,
    next_device bigint not null default 0,
    activated int not null default 0 check (activated >= 0),
    months jsonb not null default '{}',
    done_at timestamptz
);
create index activation_due on activation (activate_at) where done_at is null;
comment on table activation is 'one for each batch that claimed something: the devices below next_device have been seen to';
comment on column activation.months is 'how many of the activated have how many prepaid months';

create table subscription (
    device_key bigint primary key,
    state text not null check (state in ('scheduled', 'active', 'expired')),
    activate_at timestamptz not null,
    starts_at timestamptz,
    ends_at timestamptz,
    reminded smallint not null default 0 check (reminded in (0, 30, 7, 1)),
    constraint started_has_a_period check ((state = 'scheduled') = (starts_at is null)
        and (starts_at is null) = (ends_at is null)),
    constraint starts_when_due check (starts_at >= activate_at and ends_at > starts_at),
    constraint only_started_are_reminded check (reminded = 0 or starts_at is not null)
);
create index subscription_due on subscription (activate_at) where state = 'scheduled';
create index subscription_ending on subscription (reminded, ends_at) where state = 'active';
create index subscription_started on subscription using brin (starts_at) with (pages_per_range = 32, autosummarize = on);
comment on table subscription is
    'only what differs from its batch''s plan or has started: a claim without a row here is scheduled by its batch';
comment on column subscription.reminded is 'the last reminder that was sent, in days before the end; 0: none yet';

create function refuse_to_turn_back() returns trigger language plpgsql as $$
begin
    raise exception 'a subscription goes from scheduled to active to expired, and its period is never changed'
        using errcode = 'restrict_violation';
end $$;
create trigger subscription_goes_forward before update on subscription for each row
    when ((old.state, new.state) not in
            (('scheduled', 'scheduled'), ('scheduled', 'active'), ('active', 'active'), ('active', 'expired'))
        or old.state <> 'scheduled' and (old.starts_at, old.ends_at) is distinct from (new.starts_at, new.ends_at))
    execute function refuse_to_turn_back();
create function refuse_to_forget_started() returns trigger language plpgsql as $$
begin
    raise exception 'a subscription that has started is never deleted' using errcode = 'restrict_violation';
end $$;
create trigger subscription_is_kept before delete on subscription for each row
    when (old.state <> 'scheduled') execute function refuse_to_forget_started();
"""

NOTIFICATIONS = """
create table endpoint (
    key bigint generated always as identity primary key,
    public_id text collate "C" not null unique,
    organization_key bigint not null references organization,
    project_key bigint references project,
    kind text not null check (kind in ('webhook', 'email')),
    target text not null check (length(target) between 3 and 2000),
    description text check (length(description) <= 200),
    events text[] not null check (cardinality(events) > 0),
    failures int not null default 0 check (failures >= 0),
    failing_since timestamptz,
    retry_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    disabled_at timestamptz,
    disabled_reason text,
    deleted_at timestamptz,
    constraint disabled_has_a_reason check ((disabled_at is null) = (disabled_reason is null)),
    constraint failing_since_a_failure check ((failures = 0) = (failing_since is null))
);
create index endpoint_of_organization on endpoint (organization_key) where deleted_at is null;
comment on column endpoint.project_key is 'null: the events of all projects';
comment on column endpoint.failures is 'attempts that failed since the last success';
create table endpoint_secret (
    key bigint generated always as identity primary key,
    endpoint_key bigint not null references endpoint,
    sealed bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz
);
create index on endpoint_secret (endpoint_key);
comment on column endpoint_secret.sealed is 'encrypted under the secret key of the settings';

create table event (
    key bigint generated always as identity primary key,
    public_id text collate "C" not null unique default 'evt_' || replace(gen_random_uuid()::text, '-', ''),
    organization_key bigint not null references organization,
    project_key bigint,
    batch_key bigint,
    type text not null check (length(type) between 3 and 60),
    data jsonb not null,
    occurred_at timestamptz not null default business_now()
);
create index on event (batch_key) where batch_key is not null;
create table delivery (
    key bigint generated always as identity primary key,
    public_id text collate "C" not null unique default 'dlv_' || replace(gen_random_uuid()::text, '-', ''),
    event_key bigint not null references event on delete cascade,
    endpoint_key bigint not null references endpoint,
    batch_key bigint,
    state text not null default 'waiting' check (state in ('waiting', 'delivered', 'dead')),
    attempts int not null default 0 check (attempts >= 0),
    fence int not null default 0 check (fence >= 0),
    give_up_at timestamptz not null,
    next_attempt_at timestamptz not null default clock_timestamp(),
    lease_expires_at timestamptz,
    last_status int,
    last_error text check (length(last_error) <= 2000),
    created_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    constraint once_to_each unique (event_key, endpoint_key),
    constraint ended_delivery_has_a_time check ((state = 'waiting') = (ended_at is null)),
    constraint ended_delivery_holds_no_lease check (state = 'waiting' or lease_expires_at is null)
);
create index delivery_due on delivery (endpoint_key, next_attempt_at) where state = 'waiting';
create index delivery_held on delivery (endpoint_key) where lease_expires_at is not null;
create index delivery_order on delivery (endpoint_key, batch_key, key) where state = 'waiting' and batch_key is not null;
create index delivery_of_endpoint on delivery (endpoint_key, key desc);
create index delivery_dead on delivery (endpoint_key) where state = 'dead';
create index delivery_ended on delivery (ended_at) where ended_at is not null;
comment on column delivery.next_attempt_at is 'of one that is being tried: when its lease is over';
comment on column delivery.batch_key is 'the deliveries of one batch go to an endpoint one after the other';

create function latest_seven(moment timestamptz, time_zone text) returns timestamptz language sql stable strict as
    $$ select max(seven) from (
        select (date_trunc('day', moment at time zone time_zone) + make_interval(days => back, hours => 7))
            at time zone time_zone as seven
        from generate_series(-1, 0) as back) as sevens where seven <= moment $$;
comment on function latest_seven is 'the last time that clocks there showed seven in the morning';
create table digest (
    organization_key bigint not null references organization,
    day date not null,
    due_at timestamptz not null,
    since timestamptz not null,
    data json not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (organization_key, day),
    check (since < due_at)
);
comment on column digest.day is 'the day on which it was due in the organization''s time zone';
create table periodic_task (
    name text primary key,
    started_at timestamptz,
    succeeded_at timestamptz,
    failed_at timestamptz,
    wanted_at timestamptz,
    error text,
    handled bigint not null default 0 check (handled >= 0)
);
comment on column periodic_task.wanted_at is 'when somebody was last turned away, because the task was being carried out';
comment on column periodic_task.handled is 'how many things all its runs together have handled';
"""


def upgrade() -> None:
    for part in (CLOCK, BATCHES, SUBSCRIPTIONS, NOTIFICATIONS):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        "drop table pruning, periodic_task, digest, delivery, event, endpoint_secret, endpoint, subscription, activation, mended_row;"
        "drop function refuse_to_turn_back(), refuse_to_forget_started(), period_end(timestamptz, int, text),"
        " latest_seven(timestamptz, text);"
        "drop index claim_of_batch, batch_ended, batch_input_kept, batch_results_kept, result_failures;"
        "alter table result drop constraint result_outcome_check,"
        " add constraint result_outcome_check check (outcome between 1 and 9);"
        "create index result_failures on result (batch_key, outcome, row, position) where outcome <> 1;"
        "alter table batch drop constraint batch_operation_check, drop constraint batch_source_check,"
        " drop constraint only_devices_come_later, drop constraint revert_has_a_parent, drop constraint held_where_claims_stay,"
        " drop constraint activated_after_the_hold, drop constraint only_claims_are_reverted,"
        " add constraint batch_operation_check check (operation in ('claim', 'revert')),"
        " add constraint batch_source_check check (source in ('csv', 'json')),"
        " alter column upload_key set not null, drop column accepted_on, drop column activate_on, drop column hold_until,"
        " drop column activate_at, drop column failed_rows, drop column mended_rows, drop column input_pruned_at, drop column results_pruned_at;"
        "alter table organization drop column time_zone;"
        "drop function business_now();"
        "drop table clock"
    )
