"""`claimd org`, `claimd project` and `claimd token`."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from worker.accounts import (
    create_organization,
    create_project,
    create_token,
    list_organizations,
    list_projects,
    list_tokens,
    revoke_token,
    set_time_zone,
)
from worker.cli.local import local_runtime
from worker.cli.options import AsJson, DataDir, Organization
from worker.cli.output import show, show_list
from worker.states import Role

org = typer.Typer(no_args_is_help=True, help="Organizations.")
project = typer.Typer(no_args_is_help=True, help="Projects, into which devices are claimed.")
token = typer.Typer(no_args_is_help=True, help="Bearer tokens.")

Name = Annotated[str, typer.Option("--name", help="What people call it.")]
TimeZone = Annotated[str, typer.Option("--time-zone", help="Where its days begin, such as Europe/Oslo.")]
OnlyOf = Annotated[str | None, typer.Option("--org", help="Of one organization only.", show_default=False)]
Roles = Annotated[list[Role], typer.Option("--role", help="What it may do; repeat it for several roles.")]
Projects = Annotated[
    list[str] | None,
    typer.Option("--project", help="A project that it is for; repeat it for several.", show_default=False),
]
Days = Annotated[
    float | None,
    typer.Option("--expires-in-days", help="When it ends by itself.", min=0, max=36500, show_default=False),
]


@org.command("create")
def create_org(name: Name, time_zone: TimeZone = "UTC", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make an organization."""
    with local_runtime(data_dir) as runtime:
        show(create_organization(runtime, name, time_zone=time_zone), as_json=as_json)


@org.command("set")
def set_org(
    organization_id: Annotated[str, typer.Argument(help="ID of the organization.", show_default=False)],
    time_zone: TimeZone,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change an organization; what is scheduled already stays as it is."""
    with local_runtime(data_dir) as runtime:
        show(set_time_zone(runtime, organization_id, time_zone), as_json=as_json)


@org.command("list")
def list_orgs(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """All organizations."""
    with local_runtime(data_dir) as runtime:
        show_list(list_organizations(runtime), ["id", "name", "time_zone", "created_at"], as_json=as_json)


@project.command("create")
def create_one_project(org: Organization, name: Name, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a project in an organization."""
    with local_runtime(data_dir) as runtime:
        show(create_project(runtime, org, name), as_json=as_json)


@project.command("list")
def list_all_projects(org: OnlyOf = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """All projects."""
    with local_runtime(data_dir) as runtime:
        columns = ["id", "name", "organization_id", "created_at"]
        show_list(list_projects(runtime, org), columns, as_json=as_json)


@token.command("create")
def create_one_token(
    org: Organization,
    name: Name,
    role: Roles,
    project: Projects = None,
    expires_in_days: Days = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. Its secret is shown this once only."""
    lifetime = None if expires_in_days is None else timedelta(days=expires_in_days)
    with local_runtime(data_dir) as runtime:
        created = create_token(runtime, org, name, role, project or (), lifetime)
    show(asdict(created), as_json=as_json)


@token.command("list")
def list_all_tokens(org: OnlyOf = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """All tokens, without their secrets."""
    columns = ["id", "name", "organization_id", "roles", "project_ids", "expires_at", "revoked_at"]
    with local_runtime(data_dir) as runtime:
        show_list(list_tokens(runtime, org), columns, as_json=as_json)


@token.command("revoke")
def revoke_one_token(
    token_id: Annotated[str, typer.Argument(help="ID of the token.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End a token at once."""
    with local_runtime(data_dir) as runtime:
        show(revoke_token(runtime, token_id), as_json=as_json)
