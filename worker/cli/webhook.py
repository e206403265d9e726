"""`claimd webhook`."""

from typing import Annotated
from urllib.parse import quote

import typer

from worker.cli.client import connected
from worker.cli.options import ApiUrl, AsJson, Cursor, DataDir, Limit, Organization, Token
from worker.cli.output import show, show_page
from worker.states import DeliveryState, EndpointKind

webhook = typer.Typer(no_args_is_help=True, help="Endpoints: web and mail addresses that are told what happens.")

EndpointId = Annotated[str, typer.Argument(help="ID of the endpoint.", show_default=False)]
State = Annotated[
    DeliveryState | None, typer.Option("--state", help="In one state; dead: given up.", show_default=False)
]


@webhook.command("list")
def list_endpoints(
    org: Organization, api_url: ApiUrl = None, token: Token = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """The endpoints of an organization."""
    with connected(data_dir, api_url, token) as api:
        page = api.get(_of_organization(org))
    columns = ["id", "kind", "target", "events", "project_id", "failures", "disabled_reason"]
    show_page(page, columns, as_json=as_json)


@webhook.command("create")
def create(  # noqa: PLR0913, PLR0917  # one for each option
    target: Annotated[str, typer.Argument(help="https://… or, for mail, name@example.com.", show_default=False)],
    org: Organization,
    event: Annotated[
        list[str] | None, typer.Option("--event", help="A type of event; repeat it. All.", show_default=False)
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="The events of one project only.", show_default=False)
    ] = None,
    description: Annotated[str | None, typer.Option("--description", help="What it is.", show_default=False)] = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell an address what happens. The secret of a webhook is shown this once only."""
    kind = EndpointKind.WEBHOOK if "://" in target else EndpointKind.EMAIL
    wish = {"kind": kind, "target": target, "project_id": project, "description": description}
    with connected(data_dir, api_url, token) as api:
        show(api.post_document(_of_organization(org), {**wish, "events": event or ["*"]}), as_json=as_json)


@webhook.command("delete")
def delete(
    endpoint_id: EndpointId,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell it nothing any more."""
    with connected(data_dir, api_url, token) as api:
        api.delete(_path(endpoint_id))
    show({"deleted": endpoint_id}, as_json=as_json)


@webhook.command("ping")
def ping(
    endpoint_id: EndpointId,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Send a test event; `deliveries` shows what became of it."""
    with connected(data_dir, api_url, token) as api:
        show(api.post(_path(endpoint_id, "ping")), as_json=as_json)


@webhook.command("rotate")
def rotate(
    endpoint_id: EndpointId,
    keep_hours: Annotated[
        float, typer.Option("--keep-hours", min=0, max=168, help="The former secret signs, too, for so long.")
    ] = 24,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a new secret, shown this once only."""
    with connected(data_dir, api_url, token) as api:
        show(api.post(_path(endpoint_id, "secrets"), keep_hours=keep_hours), as_json=as_json)


@webhook.command("enable")
def enable(
    endpoint_id: EndpointId,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Begin anew with an endpoint that was disabled, or has failed for long."""
    with connected(data_dir, api_url, token) as api:
        show(api.post(_path(endpoint_id, "enable")), as_json=as_json)


@webhook.command("deliveries")
def list_deliveries(
    endpoint_id: EndpointId,
    state: State = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What was, or is to be, sent to an endpoint, the newest first."""
    with connected(data_dir, api_url, token) as api:
        page = api.get(_path(endpoint_id, "deliveries"), state=state, limit=limit, cursor=cursor)
    columns = ["id", "type", "batch_id", "state", "attempts", "last_error", "next_attempt_at", "created_at"]
    show_page(page, columns, as_json=as_json)


@webhook.command("replay")
def replay(
    delivery_id: Annotated[str | None, typer.Argument(help="ID of one delivery.", show_default=False)] = None,
    dead_of: Annotated[
        str | None, typer.Option("--dead-of", help="All dead ones of this endpoint instead.", show_default=False)
    ] = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Send again what was delivered or given up."""
    if (delivery_id is None) == (dead_of is None):
        raise typer.BadParameter("Name a delivery, or an endpoint by --dead-of.")
    path = _path(dead_of, "replay") if dead_of else f"/v1/deliveries/{quote(delivery_id or '', safe='')}/replay"
    with connected(data_dir, api_url, token) as api:
        show(api.post(path), as_json=as_json)


def _of_organization(organization_id: str) -> str:
    return f"/v1/organizations/{quote(organization_id, safe='')}/endpoints"


def _path(endpoint_id: str, *parts: str) -> str:
    return "/".join(["/v1/endpoints", quote(endpoint_id, safe=""), *parts])
