"""What is held and what can be claimed, on a real database."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from worker.accounts import authenticate, create_organization, create_project, create_token
from worker.errors import Forbidden, Invalid, NotFound
from worker.inventory import claim_info, device, import_inventory, project_devices
from worker.principal import Principal
from worker.runtime import Runtime

FILE = (
    "device_id,device_type,product_number,kit_id,kit_name,serial_number,claim_code,prepaid_months\n"
    "Emu1,temperature,100,KIT-1,Kit of 3,SN1,code1,12\n"
    "emu2,temperature,100,KIT-1,Kit of 3,sn2,code2,12\n"
    "emu3,temperature,100,KIT-1,Kit of 3,sn3,,0\n"
    "ccon1,ccon,200,,,sn9,code9,24\n"
    "zed1,temperature,100,KIT-2,Kit of 1,,,12\n"
)
MINE, OTHER, FOREIGN = "prj_mine", "prj_other", "prj_foreign"


@dataclass(frozen=True)
class World:
    runtime: Runtime
    admin: Principal
    clerk: Principal  # administers `MINE` only

    def claim(self, device_id: str, project_id: str) -> None:
        """Hold a device as a batch would."""
        with self.runtime.transaction() as connection:
            connection.execute(
                text(
                    "insert into claim select device.key, project.key, 0, clock_timestamp() "
                    "from device, project where device_id = :device_id and project.public_id = :project_id"
                ),
                {"device_id": device_id, "project_id": project_id},
            )


def _principal(runtime: Runtime, organization: str, roles: list[str], projects: list[str]) -> Principal:
    principal = authenticate(runtime, create_token(runtime, organization, "test", roles, projects).secret)
    assert principal is not None
    return principal


@pytest.fixture
def world(runtime: Runtime) -> World:
    """Two organizations; nothing is claimed yet."""
    create_organization(runtime, "Ours", "org_ours")
    create_organization(runtime, "Theirs", "org_theirs")
    create_project(runtime, "org_ours", "Mine", MINE)
    create_project(runtime, "org_ours", "Other", OTHER)
    create_project(runtime, "org_theirs", "Foreign", FOREIGN)
    import_inventory(runtime, [FILE.encode()])
    return World(
        runtime,
        admin=_principal(runtime, "org_ours", ["organization_admin"], []),
        clerk=_principal(runtime, "org_ours", ["project_admin"], [MINE]),
    )


def test_a_kit_tells_how_many_of_it_can_be_claimed(world: World) -> None:
    world.claim("emu1", MINE)
    world.claim("emu2", FOREIGN)
    assert claim_info(world.runtime, world.admin, " kit-1 ") == {
        "identifier": " kit-1 ",
        "kind": "kit",
        "kit_id": "KIT-1",
        "kit_name": "Kit of 3",
        "device_type": "temperature",
        "product_number": "100",
        "prepaid_months": None,
        "devices": 3,
        "claimable": 0,
        "claimed": 2,
        "already_yours": 1,
    }


def test_a_device_of_nobody_is_claimable_and_shows_neither_kit_nor_serial_number(world: World) -> None:
    assert claim_info(world.runtime, world.admin, "EMU1") == {
        "identifier": "EMU1",
        "kind": "device",
        "device_id": "Emu1",
        "device_type": "temperature",
        "product_number": "100",
        "prepaid_months": 12,
        "serial_number": None,
        "kit_id": None,
        "kit_name": None,
        "devices": 1,
        "claimable": 1,
        "claimed": 0,
        "already_yours": 0,
    }


@pytest.mark.parametrize(("project", "shown"), [(MINE, "KIT-1"), (OTHER, None), (FOREIGN, None)])
def test_a_held_device_shows_its_kit_to_those_who_see_its_project(
    world: World, project: str, shown: str | None
) -> None:
    world.claim("emu1", project)
    info = claim_info(world.runtime, world.clerk, "emu1")
    assert (info["kit_id"], info["claimed"], info["claimable"]) == (shown, 1, 0)
    assert info["already_yours"] == int(shown is not None)


def test_a_device_without_subscription_cannot_be_claimed(world: World) -> None:
    info = claim_info(world.runtime, world.admin, "emu3")
    assert (info["claimable"], info["claimed"]) == (0, 0)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ("https://example.com/claim?device_id=emu1", "device"),
        ("https://example.com/claim?kit_id=kit-1", "kit"),
        ("https://example.com/d/EMU1", "device"),
        ("https://example.com/k/KIT-1/", "kit"),
        ("https://example.com/claim?serial_number=SN1&claim_code=code1", "device"),
    ],
)
def test_a_qr_code_is_read(world: World, payload: str, kind: str) -> None:
    assert claim_info(world.runtime, world.admin, payload)["kind"] == kind


def test_a_code_opens_its_device_and_comes_back_masked(world: World) -> None:
    info = claim_info(world.runtime, world.admin, "https://x.example/?serial_number=sn1&claim_code=code1")
    assert info["identifier"] == "https://x.example/?serial_number=sn1&claim_code=***"
    assert (info["device_id"], info["serial_number"], info["kit_id"]) == ("Emu1", "SN1", None)


@pytest.mark.parametrize(
    "payload",
    [
        "emu99",
        "https://x.example/?device_id=kit-1",
        "https://x.example/?kit_id=emu1",
        "https://x.example/?serial_number=sn1&claim_code=code2",
        "https://x.example/?serial_number=sn3&claim_code=code2",
        "https://x.example/?serial_number=sn99&claim_code=code1",
        "https://x.example/?serial_number=sn9&claim_code=code9",
    ],
)
def test_what_leads_nowhere_has_one_answer(world: World, payload: str) -> None:
    world.claim("ccon1", FOREIGN)
    with pytest.raises(NotFound) as refused:
        claim_info(world.runtime, world.admin, payload)
    assert refused.value.detail == "There is no such device or kit, or its claim code does not match."


def test_to_the_holder_the_code_no_longer_matters(world: World) -> None:
    world.claim("ccon1", MINE)
    payload = "https://x.example/?serial_number=sn9&claim_code=any"
    assert claim_info(world.runtime, world.clerk, payload)["already_yours"] == 1


@pytest.mark.parametrize("identifier", ["", "emu 1", "1.23E+19", "https://x.example/?serial_number=sn1", "\x00"])
def test_what_cannot_be_an_identifier_is_told_why(world: World, identifier: str) -> None:
    with pytest.raises(Invalid):
        claim_info(world.runtime, world.admin, identifier)


def test_a_manufacturers_token_asks_for_no_claims(world: World) -> None:
    manufacturer = _principal(world.runtime, "org_ours", ["manufacturer"], [])
    with pytest.raises(Forbidden):
        claim_info(world.runtime, manufacturer, "emu1")


def test_a_projects_devices_come_page_by_page(world: World) -> None:
    for name in ("emu1", "emu2", "ccon1"):
        world.claim(name, MINE)
    world.claim("emu3", OTHER)
    first = project_devices(world.runtime, world.clerk, MINE, 2, None)
    second = project_devices(world.runtime, world.clerk, MINE, 2, first["next_cursor"])
    assert [item["device_id"] for item in first["items"] + second["items"]] == ["ccon1", "Emu1", "emu2"]
    assert second["next_cursor"] is None
    assert set(first["items"][1]) == {
        "device_id",
        "device_type",
        "product_number",
        "kit_id",
        "kit_name",
        "serial_number",
        "prepaid_months",
        "claimed_at",
        "batch_id",
        "subscription",
    }
    assert first["items"][1]["kit_id"] == "KIT-1"


def test_an_exact_last_page_has_no_cursor(world: World) -> None:
    world.claim("emu1", MINE)
    assert project_devices(world.runtime, world.clerk, MINE, 1, None)["next_cursor"] is None


def test_projects_out_of_sight_are_not_found(world: World) -> None:
    for principal, project in ((world.clerk, OTHER), (world.admin, FOREIGN), (world.admin, "prj_none")):
        with pytest.raises(NotFound):
            project_devices(world.runtime, principal, project, 10, None)


def test_a_bad_cursor_is_refused(world: World) -> None:
    with pytest.raises(Invalid):
        project_devices(world.runtime, world.clerk, MINE, 10, "nonsense")


def test_a_device_is_shown_to_those_who_see_its_project(world: World) -> None:
    world.claim("emu1", MINE)
    found = device(world.runtime, world.clerk, "EMU1")
    assert (found["device_id"], found["project_id"], found["serial_number"]) == ("Emu1", MINE, "SN1")


@pytest.mark.parametrize(
    "hold",
    [lambda _: None, lambda world: world.claim("emu1", OTHER), lambda world: world.claim("emu1", FOREIGN)],
)
def test_a_device_held_elsewhere_is_not_found(world: World, hold: Callable[[World], None]) -> None:
    hold(world)
    for name in ("emu1", "emu99", "emu 1"):
        with pytest.raises(NotFound):
            device(world.runtime, world.clerk, name)
