"""What the owner of endpoints does; these requests have no keys, so that whoever asks again looks first."""

from typing import Any

from tests.crash.scene import Scene
from tests.embedded.waiting import wait_until


def endpoints(scene: Scene) -> None:
    """An endpoint is made, changed, given a new secret, enabled, and deleted."""
    path = _make(scene)
    scene.stage("change")
    scene.request("PATCH", path, json={"events": ["batch.rejected"]})
    scene.stage("renew")
    scene.ask_once("POST", f"{path}/secrets", done=lambda: len(scene.request("GET", path)["secrets"]) > 1)
    scene.stage("enable")
    scene.request("POST", f"{path}/enable")
    scene.stage("delete")
    scene.request("DELETE", path, refused={404})


def deliveries(scene: Scene) -> None:
    """An endpoint is tried, and told the same again."""
    path = _make(scene)
    scene.stage("ping")
    _ping(scene, path)
    scene.stage("replay one")
    (delivery,) = scene.request("GET", f"{path}/deliveries")["items"]
    scene.request("POST", f"/v1/deliveries/{delivery['id']}/replay")
    scene.settle()
    scene.stage("replay all")
    scene.request("POST", f"{path}/replay", params={"state": "delivered"})


def _make(scene: Scene) -> str:
    assert scene.receiver is not None
    scene.stage("make")
    path = f"/v1/organizations/{scene.tenant.organization_id}/endpoints"
    wish = {"target": f"{scene.receiver.url}/{scene.prefix}", "events": ["batch.failed"], "description": "tried"}

    def find() -> list[Any]:
        return [each["id"] for each in scene.request("GET", path)["items"] if each["description"] == "tried"]

    scene.ask_once("POST", path, done=find, json=wish)
    return f"/v1/endpoints/{find()[0]}"


def _ping(scene: Scene, path: str) -> None:
    scene.ask_once("POST", f"{path}/ping", done=lambda: scene.request("GET", f"{path}/deliveries")["items"])
    wait_until(lambda: scene.received()["ping"])
    scene.settle()
