"""Results of operators: what is too large for XCom is left out whole, and named."""

from __future__ import annotations

from typing import Any

import pytest
from airflow_harness import Run
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.operators._xcom import MAX_FIELD_BYTES


@pytest.mark.parametrize(("size", "omitted"), [(MAX_FIELD_BYTES - 2, False), (MAX_FIELD_BYTES, True)])
def test_a_field_that_is_too_large_is_left_out_whole_and_named(size: int, omitted: bool) -> None:
    def handler(seen: Request) -> Response:
        attributes = {"name": "VIP", "description": "x" * size}
        return json_response({"data": {"id": "t1", "type": "ticket", "attributes": attributes}}, 201)

    def task() -> Any:
        from airflow_provider_ringevents.operators.tickets import RingEventsCreateTicketOperator

        return RingEventsCreateTicketOperator(task_id="ticket", event_id="e", name="VIP")

    with RawServer(handler) as server:
        connection = f'{{"conn_type": "ringevents", "host": "{server.url}", "password": "key"}}'
        result = Run(task, connections={"ringevents_default": connection}).to_end()
    assert result.state == "success"
    assert ("description" in result.xcom) is not omitted
    assert result.xcom.get("_omitted") == (["description"] if omitted else None)
    assert ("Left out of the result" in result.log_text) is omitted
    assert result.xcom["name"] == "VIP"
