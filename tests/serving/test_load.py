"""Many clients at once, with a model that takes no time: nothing is lost, and nobody gets another's answer."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from _serving import Answers, grpc_client, http_client, load

from ocrtune.serving.limits import Limits
from support.serving import Gate, painted, running


@pytest.mark.parametrize("clients", [1, 8, 64])
def test_nothing_is_lost(clients: int) -> None:
    images = [painted(20 + index % 90, 9) for index in range(4 * clients)]
    with running(limits=Limits(queue=64)) as server:
        over_http = load(clients, images, partial(http_client, server.address.http))
        over_grpc = load(clients, images, partial(grpc_client, server.address.grpc))
    assert over_http.codes == {"200": len(images)}
    assert over_grpc.codes == {"OK": len(images)}
    assert all(result["width"] == 20 + index % 90 for index, result in over_http.results)
    assert all(result.pages[0].width == 20 + index % 90 for index, result in over_grpc.results)


def test_what_does_not_fit_is_refused_and_the_rest_is_answered() -> None:
    gate, found = Gate(), [Answers()]
    with running(gate, Limits(queue=16)) as server:

        def ask() -> None:
            found[0] = load(64, [painted(20, 9)] * 64, partial(http_client, server.address.http))

        clients = threading.Thread(target=ask)
        clients.start()
        server.until("ocrtune_requests_total", 48, code="503", method="POST /predict", protocol="http")
        gate.open()
        clients.join()
    assert found[0].codes == {"200": 16, "503": 48}
