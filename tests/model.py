"""What a batch must come to, in plain Python: the contract's precedence and nothing else."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Device:
    """A device of the inventory."""

    device_id: str
    kit_id: str | None = None
    months: int = 12
    has_code: bool = False

    @property
    def serial_number(self) -> str:
        return f"sn-{self.device_id}"

    @property
    def code(self) -> str:
        return f"code-{self.device_id}"


@dataclass(frozen=True)
class Row:
    """One row of a JSON batch: exactly one way of naming something."""

    kit_id: str | None = None
    device_id: str | None = None
    serial_number: str | None = None
    claim_code: str = ""


Result = tuple[int, str | None, str]


@dataclass
class World:
    """The inventory and who holds what."""

    devices: dict[str, Device]
    holders: dict[str, str] = field(default_factory=dict)

    def claim(self, project: str, rows: list[Row], *, atomic: bool = False) -> tuple[str, list[Result]]:
        """The end state of a batch and its results; the world is changed as the batch would."""
        results: list[Result] = []
        seen: set[str] = set()
        for number, row in enumerate(rows, start=1):
            results += [(number, device, self._outcome(project, device, seen)) for device in self._named(project, row)]
        bad = {"not_found", "already_claimed", "not_claimable", "invalid_identifier"}
        if atomic and any(outcome in bad for *_, outcome in results):
            return "rejected", [
                (row, device, "not_processed" if outcome == "claimed" else outcome) for row, device, outcome in results
            ]
        self.holders |= {str(device): project for _, device, outcome in results if outcome == "claimed"}
        return "completed", results

    def _named(self, project: str, row: Row) -> list[str | None]:
        if row.kit_id is not None:
            kit = sorted(device.device_id for device in self.devices.values() if device.kit_id == row.kit_id)
            return list(kit) or [None]
        if row.device_id is not None:
            return [row.device_id if row.device_id in self.devices else None]
        found = next((d for d in self.devices.values() if d.serial_number == row.serial_number and d.has_code), None)
        return [None if found is None or not self._opens(project, found, row.claim_code) else found.device_id]

    def _opens(self, project: str, device: Device, code: str) -> bool:
        holder = self.holders.get(device.device_id)
        return holder == project if holder is not None else code == device.code

    def _outcome(self, project: str, device: str | None, seen: set[str]) -> str:
        if device is None:
            return "not_found"
        if device in seen:
            return "duplicate"
        seen.add(device)
        holder = self.holders.get(device)
        if holder is not None:
            return "already_yours" if holder == project else "already_claimed"
        return "claimed" if self.devices[device].months else "not_claimable"
