-- What claimd is measured against: the same work by hand, as one transaction of psql.
-- {claims} and {report} are paths of files; the variables `project_id` and `batch` are given by the caller.
\set ON_ERROR_STOP on
select key as project from project where public_id = :'project_id' \gset
begin;

create temporary table incoming (
    row int generated always as identity,
    device_id text collate "C"
) on commit drop;
\copy incoming (device_id) from '{claims}' with (format csv, header)
analyze incoming;

-- Every row beside the first one that names the same device; the sort that this takes is by device.
create temporary table found on commit drop as
select incoming.row, device.key as device_key, prepaid_months,
    first_value(incoming.row) over (partition by device.key order by incoming.row) as first_row
from incoming left join device using (device_id);
analyze found;

insert into claim (device_key, project_key, batch_key, claimed_at)
select device_key, :project, :batch, now() from found
where device_key is not null and row = first_row and prepaid_months > 0
order by device_key
on conflict do nothing;

insert into result (batch_key, row, position, outcome, reason, named_by, duplicate_of_row, device_key, holder_key)
select :batch, found.row, 0,
    case
        when device_key is null then 6
        when found.row <> first_row then 7
        when claim.batch_key = :batch then 1
        when claim.project_key = :project then 3
        when claim.device_key is not null then 4
        else 5
    end,
    0, (device_key is not null)::int, nullif(first_row, found.row), device_key, nullif(claim.project_key, :project)
from found left join claim using (device_key)
order by found.row;

-- \copy wants its query on one line.
create temporary view report as
select incoming.device_id as typed, row, row + 1 as line,
    case outcome
        when 1 then 'claimed'
        when 3 then 'already_yours'
        when 4 then 'already_claimed'
        when 5 then 'not_claimable'
        when 6 then 'not_found'
        when 7 then 'duplicate'
    end as outcome,
    case when outcome <> 6 then incoming.device_id end as device_id,
    'duplicate of row ' || duplicate_of_row as detail,
    case when outcome = 6 then 'Check the identifier.' end as hint
from incoming join result using (row) where batch_key = :batch
order by row;
\copy (select * from report) to '{report}' with (format csv, header)
commit;
