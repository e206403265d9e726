"""What is sent to endpoints: signed, listed, tried out, sent again."""

import httpx2
from sqlalchemy import text

from tests.api.endpoints.making import make
from tests.api.serving import Tenant
from tests.claims import carry_out
from tests.receiver import Receiver
from worker.operations.deliveries import deliver
from worker.runtime import Runtime


def test_a_batch_is_told_to_whoever_asked(
    api: httpx2.Client, endpoints: str, tenant: Tenant, runtime: Runtime, receiver: Receiver
) -> None:
    made = make(api, endpoints, f"{receiver.url}/all")
    make(api, endpoints, f"{receiver.url}/failed", events=["batch.failed"])
    batch = api.post(tenant.uploads, files={"file": ("a.csv", b"device_id\nnone\n")}).json()
    carry_out(runtime, batch["id"])
    assert deliver(runtime) == 1
    (received,) = receiver.received
    document = received.verified(made["secret"])
    assert (received.path, document["type"]) == ("/all", "batch.completed")
    told = document["data"]
    assert (told["batch_id"], told["state"], told["totals"]) == (batch["id"], "completed", {"not_found": 1})
    seen = api.get(f"/v1/claim-batches/{batch['id']}").json()
    assert {name: told[name] for name in ("created_at", "finished_at", "hold_until")} == {
        name: seen[name] for name in ("created_at", "finished_at", "hold_until")
    }
    for name in ("batch", "results", "results_csv", "results_jsonl", "failed_rows_csv", "report"):
        assert api.get(httpx2.URL(told["links"][name]).raw_path.decode()).status_code == 200
    (delivery,) = api.get(f"/v1/endpoints/{made['id']}/deliveries").json()["items"]
    assert (delivery["state"], delivery["event_id"], delivery["batch_id"]) == (
        "delivered",
        received.event_id,
        batch["id"],
    )


def test_while_a_secret_is_exchanged_both_sign(
    api: httpx2.Client, endpoints: str, runtime: Runtime, receiver: Receiver
) -> None:
    made = make(api, endpoints, receiver.url)
    own = made["links"]["self"]
    renewed = api.post(f"{own}/secrets").json()
    api.post(f"{own}/ping").raise_for_status()
    deliver(runtime)
    assert len({made["secret"], renewed["secret"]}) == 2
    for secret in (made["secret"], renewed["secret"]):
        receiver.received[0].verified(secret)
    ends = [each["expires_at"] is not None for each in renewed["secrets"]]
    assert ends == [False, True]
    last = api.post(f"{own}/secrets", params={"keep_hours": 0}).json()
    assert len(last["secrets"]) == 1
    api.post(f"{own}/ping").raise_for_status()
    deliver(runtime)
    assert len(receiver.received[1].headers["webhook-signature"].split()) == 1
    receiver.received[1].verified(last["secret"])
    for _ in range(8):
        several = api.post(f"{own}/secrets").json()["secrets"]
    assert len(several) == 5
    assert api.post(f"{own}/secrets", params={"keep_hours": 999}).status_code == 422


def test_a_ping_goes_to_its_endpoint_only_whatever_that_subscribes_to(
    api: httpx2.Client, endpoints: str, runtime: Runtime, receiver: Receiver
) -> None:
    made = make(api, endpoints, f"{receiver.url}/a", events=["batch.failed"])
    make(api, endpoints, f"{receiver.url}/b")
    answer = api.post(f"{made['links']['self']}/ping")
    assert (answer.status_code, answer.json()["state"], answer.json()["type"]) == (202, "waiting", "ping")
    assert deliver(runtime) == 1
    (received,) = receiver.received
    assert received.path == "/a"
    assert received.verified(made["secret"])["data"]["endpoint_id"] == made["id"]


def test_what_died_is_sent_again_under_the_same_id(
    api: httpx2.Client, endpoints: str, runtime: Runtime, receiver: Receiver
) -> None:
    made = make(api, endpoints, f"{receiver.url}/gone")
    own = made["links"]["self"]
    receiver.script["/gone"] = [(410, {})]
    pings = [api.post(f"{own}/ping").json() for _ in range(3)]
    deliver(runtime)
    disabled = api.get(own).json()
    assert "410" in disabled["disabled_reason"]
    dead = api.get(f"{own}/deliveries", params={"state": "dead"}).json()["items"]
    assert [each["id"] for each in dead] == [each["id"] for each in reversed(pings)]
    for refused in (
        api.post(f"{own}/ping"),
        api.post(f"{own}/replay"),
        api.post(f"/v1/deliveries/{dead[0]['id']}/replay"),
    ):
        assert (refused.status_code, refused.json()["type"]) == (409, "endpoint-disabled")
    assert api.post(f"{own}/enable").json()["disabled_at"] is None
    again = api.post(f"/v1/deliveries/{dead[0]['id']}/replay")
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (202, "waiting", 0)
    assert api.post(f"{own}/replay").json() == {"replayed": 2}
    came_before = len(receiver.received)
    deliver(runtime)
    assert {each.event_id for each in receiver.received[came_before:]} == {each["event_id"] for each in pings}
    assert api.post(f"/v1/deliveries/{dead[0]['id']}/replay").status_code == 202
    deliver(runtime)
    assert receiver.received[-1].event_id == dead[0]["event_id"]


def test_deliveries_are_listed_page_by_page_the_newest_first(
    api: httpx2.Client, endpoints: str, receiver: Receiver
) -> None:
    own = make(api, endpoints, receiver.url)["links"]["self"]
    pings = [api.post(f"{own}/ping").json()["id"] for _ in range(5)]
    found, cursor = list[str](), None
    while True:
        more: dict[str, str] = {"cursor": cursor} if cursor else {}
        page = api.get(f"{own}/deliveries", params={"limit": 2, "state": "waiting", **more}).json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == pings[::-1]
    assert api.get(f"{own}/deliveries", params={"state": "dead"}).json()["items"] == []
    assert api.get(f"{own}/deliveries", params={"cursor": "x"}).status_code == 422


def test_a_deleted_endpoint_is_told_nothing_more(
    api: httpx2.Client, endpoints: str, runtime: Runtime, receiver: Receiver
) -> None:
    made = make(api, endpoints, receiver.url)
    delivery = api.post(f"{made['links']['self']}/ping").json()
    assert api.delete(made["links"]["self"]).status_code == 204
    assert deliver(runtime) == 0
    assert receiver.received == []
    answers = [api.get(made["links"]["self"]), api.delete(made["links"]["self"])]
    answers += [api.post(f"/v1/deliveries/{delivery['id']}/replay"), api.get(f"{made['links']['self']}/deliveries")]
    assert {answer.status_code for answer in answers} == {404}
    assert api.get(endpoints).json()["items"] == []
    with runtime.reading() as connection:
        rows = connection.execute(text("select state, last_error from delivery")).all()
        assert [tuple(row) for row in rows] == [("dead", "the endpoint was deleted")]
        assert connection.execute(text("select count(*) from endpoint_secret")).scalar_one() == 0
