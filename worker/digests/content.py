"""The document of a digest: totals of everything, and the top of each list, so that it stays small."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, RowMapping

from worker.queries import digest_content as queries
from worker.queries.digests import DueDigest
from worker.states import SUCCESSES
from worker.times import rfc3339

MOST: Final = 10
MOST_FILES: Final = 5
LONGEST: Final = 60

Found = Mapping[int, Sequence[RowMapping]]


def compose(connection: Connection, due: Sequence[DueDigest]) -> dict[int, dict[str, Any]]:
    """The document of each digest, by the key of its organization."""
    if not due:
        return {}
    found = {
        "batches": queries.count_ended(connection, due),
        "outcomes": queries.count_outcomes(connection, due),
        "claims": queries.count_claimed(connection, due),
        "files": queries.find_worst_files(connection, due, MOST_FILES),
        "activations": queries.count_started(connection, due),
        "ending": queries.count_ending(connection, due),
        "deliveries": queries.find_troubled_endpoints(connection, due),
    }
    grouped = {name: _by_organization(rows) for name, rows in found.items()}
    return {each.organization_key: _document(each, grouped) for each in due}


def digest_path(organization_id: str, day: str) -> str:
    """Where a digest can be read."""
    return f"/v1/organizations/{organization_id}/digests/{day}"


def _document(due: DueDigest, grouped: Mapping[str, Found]) -> dict[str, Any]:
    own = {name: found.get(due.organization_key, ()) for name, found in grouped.items()}
    outcomes = {row["outcome"]: row["devices"] for row in own["outcomes"]}
    failures = {code: devices for code, devices in outcomes.items() if code not in SUCCESSES}
    path = digest_path(due.organization_id, due.day.isoformat())
    return {
        "date": due.day.isoformat(),
        "organization_id": due.organization_id,
        "organization": _short(due.organization),
        "time_zone": due.time_zone,
        "since": rfc3339(due.since),
        "until": rfc3339(due.due_at),
        "totals": _totals(own, outcomes, failures),
        "batches": _plain(own["batches"]),
        "claims": _projects(own["claims"]),
        "failures": [{"outcome": code, "devices": devices} for code, devices in failures.items()],
        "files": _plain(own["files"]),
        "activations": _projects(own["activations"]),
        "ending": _ending_projects(own["ending"]),
        "ending_dates": _ending_dates(own["ending"]),
        "deliveries": _plain(own["deliveries"][:MOST]),
        "links": {"self": path, "csv": f"{path}.csv"},
    }


def _totals(
    own: Mapping[str, Sequence[RowMapping]], outcomes: Mapping[str, int], failures: Mapping[str, int]
) -> dict[str, int]:
    return {
        "batches": sum(row["batches"] for row in own["batches"]),
        "claimed": outcomes.get("claimed", 0),
        "released": outcomes.get("released", 0),
        "failed": sum(failures.values()),
        "activated": sum(row["devices"] for row in own["activations"]),
        "ending": sum(row["devices"] for row in own["ending"]),
        "endpoints_in_trouble": len(own["deliveries"]),
    }


def _projects(rows: Iterable[RowMapping]) -> list[dict[str, Any]]:
    return [
        {"project_id": row["project_id"], "project": _short(row["project"]), "devices": row["devices"]}
        for row in islice(rows, MOST)
    ]


def _ending_projects(rows: Iterable[RowMapping]) -> list[dict[str, Any]]:
    """Each project with the first day on which something ends there; the first first."""
    projects: dict[str, dict[str, Any]] = {}
    for row in rows:
        new = {
            "project_id": row["project_id"],
            "project": _short(row["project"]),
            "devices": 0,
            "first": row["day"].isoformat(),
        }
        projects.setdefault(row["project_id"], new)["devices"] += row["devices"]
    return list(projects.values())[:MOST]


def _ending_dates(rows: Iterable[RowMapping]) -> list[dict[str, Any]]:
    days: Counter[str] = Counter()
    for row in rows:
        days[row["day"].isoformat()] += row["devices"]
    return [{"date": day, "devices": devices} for day, devices in sorted(days.items())[:MOST]]


def _plain(rows: Iterable[RowMapping]) -> list[dict[str, Any]]:
    return [{name: _short(value) for name, value in row.items() if name != "organization_key"} for row in rows]


def _short(value: Any) -> Any:  # noqa: ANN401  # whatever stands in a row
    is_long = isinstance(value, str) and len(value) > LONGEST
    return f"{value[: LONGEST - 1]}…" if is_long else value


def _by_organization(rows: Iterable[RowMapping]) -> Found:
    grouped: defaultdict[int, list[RowMapping]] = defaultdict(list)
    for row in rows:
        grouped[row["organization_key"]].append(row)
    return grouped
