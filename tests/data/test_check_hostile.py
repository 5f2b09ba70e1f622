"""Whatever the labels hold, a check ends with findings; what it mends has no errors any more."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ocrtune.data.check.findings import CheckReport
from ocrtune.data.check.image import ImageFacts
from ocrtune.data.check.pages import CheckSettings, check_page
from ocrtune.data.check.wholeset import SetSums, whole_set
from ocrtune.page import Page, TextRegion, as_polygon

FACTS = ImageFacts(640, 480, bytes(32), bytes(128), orientation=6)
numbers = st.one_of(st.integers(-50, 700), st.floats(-50, 700, width=32), st.floats(width=32))
points = st.lists(st.tuples(numbers, numbers), min_size=4, max_size=7)
regions = st.builds(
    lambda outline, text, ignore: TextRegion(as_polygon(outline), text, ignore),
    points,
    st.one_of(st.none(), st.text(max_size=20), st.text(alphabet="AО0 \u200b&amp;\ud800ﬁ", max_size=12)),
    st.booleans(),
)


@settings(max_examples=200, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(regions, max_size=5))
def test_any_labels(labels: list[TextRegion]) -> None:
    page = Page(np.zeros((480, 640, 3), np.uint8), labels, name="page")
    mended, findings = check_page(page, FACTS, CheckSettings())
    assert mended is not None
    again, left = check_page(mended, FACTS, CheckSettings())
    assert again is not None
    assert [finding for finding in left if finding.severity == "error"] == []
    assert len(again.regions) == len(mended.regions)
    for region in mended.regions:
        low, high = region.polygon.min(axis=0), region.polygon.max(axis=0)
        assert (low >= -2).all()
        assert (high <= (642, 482)).all()
    report, sums = CheckReport("set", total_pages=1), SetSums(CheckSettings())
    report.add(findings)
    report.index.add(mended, FACTS)
    report.regions = len(mended.regions)
    sums.add(mended, FACTS)
    report.add(whole_set(report, sums))
    json.dumps(report.as_dict(), ensure_ascii=False).encode("utf-8", "surrogatepass")
    for finding in report.findings:
        finding.message.encode()
