"""What an identifier leads to, and how much of it can be claimed."""

import hmac
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping

from worker.errors import Forbidden, Invalid, NotFound
from worker.intake import Payload, hint_for_reason, normalise, read_url
from worker.intake.payloads import is_url, mask_codes
from worker.intake.text import clean
from worker.principal import Principal
from worker.queries import holdings
from worker.runtime import Runtime
from worker.states import Reason, Role

CLAIMANTS: Final = frozenset({Role.ORGANIZATION_ADMIN, Role.PROJECT_ADMIN, Role.VIEWER})


def claim_info(runtime: Runtime, principal: Principal, identifier: str) -> dict[str, Any]:
    """What a kit ID, a device ID or the URL of a QR code leads to.

    `claimed` counts the devices that anyone holds, `already_yours` those of them that projects visible
    to the caller hold, `claimable` those that nobody holds and that carry a prepaid subscription.

    Raises:
        Invalid: it cannot be an identifier.
        NotFound: it leads to nothing; also where serial number and claim code do not match, or no longer.
        Forbidden: the token is for importing inventory only.
    """
    if not principal.roles & CLAIMANTS:
        raise Forbidden("This token sees no projects to claim into.")
    named = _named(identifier)
    with runtime.transaction() as connection:
        found = _Lookup(runtime, connection, principal).find(named)
    if found is None:
        raise NotFound("There is no such device or kit, or its claim code does not match.")
    return {"identifier": mask_codes(identifier), **found}


def _named(identifier: str) -> Payload:
    if is_url(clean(identifier)):
        named = read_url(identifier)
    else:
        compared = normalise(identifier)
        named = compared if isinstance(compared, Reason) else Payload("identifier", compared)
    if isinstance(named, Reason):
        raise Invalid(f"This cannot be an identifier: {named}. {hint_for_reason(named)}", reason=named)
    return named


@dataclass(frozen=True)
class _Lookup:
    runtime: Runtime
    connection: Connection
    principal: Principal

    def find(self, named: Payload) -> dict[str, Any] | None:
        if named.column == "serial_number":
            return self._pair(named.identifier, named.code or "")
        found = None
        if named.column in {"device_id", "identifier"}:
            found = self._device(named.identifier)
        if found is None and named.column in {"kit_id", "identifier"}:
            found = self._kit(named.identifier)
        return found

    def _device(self, device_id: str) -> dict[str, Any] | None:
        row = holdings.find_device(self.connection, *self._scope, device_id)
        return None if row is None else _device_document(row, named_by_serial=False)

    def _pair(self, serial_number: str, code: str) -> dict[str, Any] | None:
        row = holdings.find_serial(self.connection, *self._scope, serial_number)
        return _device_document(row, named_by_serial=True) if row and self._opens(row, code) else None

    def _opens(self, row: RowMapping, code: str) -> bool:
        """The code is used up by the claim itself; to the holder it no longer matters."""
        if row["held"]:
            return bool(row["yours"])
        expected = self.runtime.keys.hash_code(row["compared_serial"], code)
        return row["code_hash"] is not None and hmac.compare_digest(expected, row["code_hash"])

    def _kit(self, kit_id: str) -> dict[str, Any] | None:
        row = holdings.find_kit(self.connection, *self._scope, kit_id)
        return None if row is None else _kit_document(row)

    @property
    def _scope(self) -> tuple[int, frozenset[int] | None]:
        return self.principal.organization_key, self.principal.visible_projects


def _device_document(row: RowMapping, *, named_by_serial: bool) -> dict[str, Any]:
    """A kit ID is a credential: it and the serial number are for those who hold the device or named them."""
    yours = bool(row["yours"])
    return {
        "kind": "device",
        "device_id": row["device_id"],
        "device_type": row["device_type"],
        "product_number": row["product_number"],
        "prepaid_months": row["prepaid_months"],
        "serial_number": row["serial_number"] if yours or named_by_serial else None,
        "kit_id": row["kit_id"] if yours else None,
        "kit_name": row["kit_name"] if yours else None,
        "devices": 1,
        "claimable": int(not row["held"] and row["prepaid_months"] > 0),
        "claimed": int(row["held"]),
        "already_yours": int(yours),
    }


def _kit_document(row: RowMapping) -> dict[str, Any]:
    """What the kit's devices have in common is said; where they differ, null."""
    counts = {name: row[name] for name in ("devices", "claimable", "claimed", "already_yours")}
    return {
        "kind": "kit",
        "kit_id": row["kit_id"],
        "kit_name": row["kit_name"],
        "device_type": _common(row["device_types"]),
        "product_number": _common(row["product_numbers"]),
        "prepaid_months": _common(row["prepaid_months"]),
        **counts,
    }


def _common(values: list[Any]) -> Any:  # noqa: ANN401  # a text or a number
    return values[0] if len(values) == 1 else None
