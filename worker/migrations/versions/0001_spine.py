"""The spine: organizations, inventory, uploads, batches, work items, claims and results."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ACCOUNTS = """
create table organization (
    key bigint generated always as identity primary key,
    public_id text collate "C" not null unique,
    name text not null check (length(name) between 1 and 200),
    created_at timestamptz not null default clock_timestamp()
);
create table project (
    key bigint generated always as identity primary key,
    public_id text collate "C" not null unique,
    organization_key bigint not null references organization,
    name text not null check (length(name) between 1 and 200),
    created_at timestamptz not null default clock_timestamp(),
    unique (organization_key, name)
);
create table token (
    key bigint generated always as identity primary key,
    public_id text collate "C" not null unique,
    organization_key bigint not null references organization,
    name text not null check (length(name) between 1 and 200),
    secret_hash bytea not null unique check (length(secret_hash) = 32),
    roles text[] not null check (
        cardinality(roles) > 0
        and roles <@ array['organization_admin', 'project_admin', 'viewer', 'manufacturer']),
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz
);
create table token_project (
    token_key bigint not null references token on delete cascade,
    project_key bigint not null references project,
    primary key (token_key, project_key)
);
create table idempotency_key (
    token_key bigint not null references token on delete cascade,
    name text collate "C" not null check (length(name) between 1 and 255),
    request text collate "C" not null,
    body_sha256 bytea,
    response_status smallint,
    response_headers jsonb,
    response_body bytea,
    created_at timestamptz not null default clock_timestamp(),
    locked_until timestamptz,
    primary key (token_key, name),
    constraint locked_or_answered check (
        (response_status is null and locked_until is not null)
        or (response_status is not null and response_body is not null and body_sha256 is not null))
);
create index on idempotency_key (created_at);
"""

INVENTORY = """
create table kit (
    key bigint generated always as identity primary key,
    kit_id text collate "C" not null,
    shown_id text,
    name text
);
create unique index kit_kit_id on kit (kit_id) include (key);
create table device (
    key bigint generated always as identity primary key,
    device_id text collate "C" not null,
    shown_id text,
    device_type text,
    product_number text,
    kit_key bigint,
    serial_number text collate "C",
    shown_serial text,
    code_hash bytea check (length(code_hash) = 16),
    prepaid_months smallint not null check (prepaid_months between 0 and 120),
    constraint code_needs_serial check (code_hash is null or serial_number is not null)
);
create unique index device_device_id on device (device_id) include (key);
create unique index device_serial_number on device (serial_number) include (key) where serial_number is not null;
create index device_kit on device (kit_key, device_id) include (key) where kit_key is not null;
create index device_not_claimable on device (key) where prepaid_months = 0;
create index device_shown on device (key) include (shown_id) where shown_id is not null;
comment on column device.device_id is 'normalised: trimmed and lower-cased; shown_id is set where the import wrote it otherwise';
"""

UPLOADS = """
create table upload (
    key bigint generated always as identity primary key,
    expires_at timestamptz
);
create index upload_unfinished on upload (expires_at) where expires_at is not null;
comment on column upload.expires_at is 'while the upload streams in; null once a batch owns it';
create table upload_block (
    upload_key bigint not null,
    number int not null check (number >= 0),
    start bigint not null check (start >= 0),
    data bytea not null,
    primary key (upload_key, number)
);
alter table upload_block alter column data set storage external;
"""

BATCHES = """
create table batch (
    key bigint generated always as identity primary key,
    public_id text collate "C" not null unique,
    organization_key bigint not null references organization,
    project_key bigint not null references project,
    operation text not null default 'claim' check (operation in ('claim', 'revert')),
    mode text not null check (mode in ('partial', 'atomic')),
    preview boolean not null,
    require_unchanged boolean not null default false,
    max_claims int check (max_claims >= 0),
    reference text check (length(reference) <= 1000),
    file_name text check (length(file_name) <= 1000),
    parent_key bigint references batch,
    source text not null check (source in ('csv', 'json')),
    upload_key bigint not null unique references upload,
    input_bytes bigint not null check (input_bytes >= 0),
    input_sha256 bytea not null check (length(input_sha256) = 32),
    queue text not null check (queue in ('interactive', 'bulk')),
    state text not null default 'received' check (state in ('received', 'resolving', 'applying', 'previewed',
        'completed', 'rejected', 'cancelled', 'failed', 'reverting', 'reverted')),
    problem jsonb,
    dialect jsonb,
    rows_total int check (rows_total >= 0),
    results_total int check (results_total >= 0),
    totals jsonb not null default '{}',
    drift int check (drift >= 0),
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    confirmed_at timestamptz,
    preview_expires_at timestamptz,
    cancel_requested_at timestamptz,
    finished_at timestamptz,
    constraint finished_has_a_time check (
        (state in ('completed', 'rejected', 'cancelled', 'failed', 'reverting', 'reverted')) = (finished_at is not null)),
    constraint problem_where_due check ((state in ('rejected', 'failed')) <= (problem is not null)),
    constraint ends_have_totals check (
        state not in ('previewed', 'completed', 'reverting', 'reverted') or (rows_total is not null and results_total is not null)),
    constraint only_previews_are_confirmed check (preview or confirmed_at is null),
    constraint previewed_is_a_preview check (state <> 'previewed' or (preview and confirmed_at is null
        and preview_expires_at is not null)),
    constraint completed_is_no_preview check (state <> 'completed' or not preview or confirmed_at is not null)
);
create index batch_newest on batch (organization_key, key desc);
create index batch_of_project on batch (project_key, key desc);
create index batch_waiting on batch (organization_key) where state in ('received', 'resolving', 'applying', 'reverting');
create index batch_failed on batch (key) where state = 'failed';
create index batch_lapsing on batch (preview_expires_at) where state = 'previewed';
create index batch_parent on batch (parent_key) where parent_key is not null;

create table checkpoint (
    batch_key bigint not null,
    row int not null check (row >= 1),
    byte_offset bigint not null check (byte_offset >= 0),
    line int not null,
    primary key (batch_key, row)
);
create table kit_row (
    batch_key bigint not null,
    row int not null,
    kit_key bigint,
    primary key (batch_key, row)
);
create table work_item (
    key bigint generated always as identity primary key,
    batch_key bigint not null references batch,
    kind text not null check (kind in ('resolve', 'apply', 'finish')),
    number int not null check (number >= 0),
    queue text not null check (queue in ('interactive', 'bulk')),
    rows int not null default 0 check (rows >= 0),
    fence int not null default 0 check (fence >= 0),
    attempts int not null default 0 check (attempts >= 0),
    lease_expires_at timestamptz,
    backend_pid int,
    backend_start timestamptz,
    ring_at timestamptz not null default clock_timestamp(),
    done_at timestamptz,
    end_state text check (end_state in ('done', 'cancelled', 'poisoned')),
    constraint one_of_each unique (batch_key, kind, number),
    constraint ended_has_a_time check ((end_state is null) = (done_at is null)),
    constraint done_holds_no_lease check (done_at is null or lease_expires_at is null),
    constraint lease_names_its_backend check ((lease_expires_at is null) = (backend_pid is null))
);
create index work_item_due on work_item (ring_at) where done_at is null;
create index work_item_open on work_item (batch_key, kind) where done_at is null;

create table resolution (
    batch_key bigint not null,
    part int not null check (part >= 0),
    data bytea not null,
    primary key (batch_key, part)
);
create table chunk (
    batch_key bigint not null,
    number int not null check (number >= 0),
    work_number int not null check (work_number >= 0),
    size int not null check (size > 0),
    input bytea not null,
    output bytea,
    primary key (batch_key, number)
);
alter table resolution alter column data set storage external;
alter table chunk alter column input set storage external;
alter table chunk alter column output set storage external;
comment on table resolution is 'what resolve found, packed, in order of the results; deleted by finish';
comment on table chunk is 'the devices of one range of keys, packed; the output is what apply decided; deleted by finish';
"""

CLAIMS = """
create table claim (
    device_key bigint primary key,
    project_key bigint not null,
    batch_key bigint not null,
    claimed_at timestamptz not null
);
create index claim_of_project on claim (project_key, device_key);
create table claim_history (
    key bigint generated always as identity primary key,
    device_key bigint not null,
    project_key bigint not null,
    batch_key bigint not null,
    claimed_at timestamptz not null,
    ended_at timestamptz not null default clock_timestamp()
);
create index on claim_history (device_key);
create index on claim_history (batch_key);

create function remember_ended_claims() returns trigger language plpgsql as $$
begin
    insert into claim_history (device_key, project_key, batch_key, claimed_at)
    select device_key, project_key, batch_key, claimed_at from ended;
    return null;
end $$;
create trigger claim_ends after delete on claim referencing old table as ended
    for each statement execute function remember_ended_claims();
create function refuse_to_move_claims() returns trigger language plpgsql as $$
begin
    raise exception 'a claim is never changed: delete it and insert another' using errcode = 'restrict_violation';
end $$;
create trigger claim_is_never_changed before update on claim
    for each statement execute function refuse_to_move_claims();

create table result (
    batch_key bigint not null,
    row int not null check (row >= 1),
    position smallint not null check (position >= 0),
    outcome smallint not null check (outcome between 1 and 9),
    reason smallint not null,
    named_by smallint not null,
    preview_outcome smallint,
    duplicate_of_row int,
    device_key bigint,
    holder_key bigint,
    constraint result_pkey primary key (batch_key, row, position)
);
create index result_failures on result (batch_key, outcome, row, position) where outcome <> 1;
"""


def upgrade() -> None:
    for part in (ACCOUNTS, INVENTORY, UPLOADS, BATCHES, CLAIMS):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        "drop table result, claim_history, claim, chunk, resolution, work_item, kit_row, checkpoint, batch, "
        "upload_block, upload, device, kit, idempotency_key, token_project, token, project, organization;"
        "drop function remember_ended_claims(), refuse_to_move_claims()"
    )
