"""Everything that the OpenAPI document allows is asked, and much that it does not; the answers are what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ocrtune.serving.http import build_app
from ocrtune.serving.limits import Limits
from ocrtune.serving.service import Service
from support.serving import Running, running, size_model

DOCUMENT = schemathesis.openapi.from_dict(build_app(Service(size_model, Limits())).openapi())
OPERATIONS: dict[str, Any] = {
    result.ok().label: result.ok() for result in DOCUMENT.get_all_operations() if isinstance(result, Ok)
}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as started:
        yield started


def test_every_path_is_documented() -> None:
    assert set(OPERATIONS) == {
        "POST /predict",
        "POST /predict/batch",
        "GET /models",
        "GET /metrics",
        "GET /health",
        "GET /ready",
    }


CASES = [
    (label, mode)
    for label in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode == GenerationMode.POSITIVE or label.startswith("POST")  # the others have nothing to get wrong
]


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_answers_are_what_the_document_says(server: Running, label: str, mode: GenerationMode) -> None:
    base = f"http://127.0.0.1:{server.address.http}"

    @seed(0)
    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        # bytes that the document allows need be no image
        case.call_and_validate(base_url=base, excluded_checks=[positive_data_acceptance])

    ask()
