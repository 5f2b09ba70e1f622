from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ocrtune.data.check import CheckReport, Finding
from ocrtune.detection.metric import match_page
from ocrtune.page import Page
from ocrtune.report.figures import match_picture, precision_recall, training_curves
from ocrtune.report.html import Picture, Report, Table, write_report
from ocrtune.training.diagnose import Diagnosis, Remedy
from support.pages import rectangle


def decoded(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_mistakes_are_drawn_in_their_colours() -> None:
    labels = Page(np.full((200, 200, 3), 255, np.uint8), [rectangle(10, 10, 90, 30), rectangle(10, 60, 90, 80)])
    found = labels.with_regions([rectangle(10, 10, 90, 30), rectangle(110, 120, 190, 140)])
    image = decoded(match_picture(labels, found, match_page(labels, found))).astype(int)
    blue, green, red = image[..., 0], image[..., 1], image[..., 2]
    assert ((red - green > 80) & (red - blue > 80))[58:84, 8:94].any(), "missed: red"
    assert ((blue - red > 80) & (blue - green > 50))[116:144, 106:194].any(), "wrong: blue"
    assert ((green - red > 60) & (green - blue > 40))[8:34, 8:94].any(), "found: green"


def test_curves_are_pictures() -> None:
    rows = [
        {"step": str(step), "epoch": "0", "kind": kind, "name": name, "value": "0.5"}
        for step in range(1, 5)
        for kind, name in (("train", "loss"), ("train", "lr"), ("val", "hmean"))
    ]
    assert decoded(training_curves(rows, "hmean", 0.4)).shape[1] > 800
    page = Page(np.zeros((9, 9, 3), np.uint8), [rectangle(0, 0, 8, 8)])
    assert decoded(precision_recall({"a": [match_page(page, page)]})).shape[0] > 200


def test_report_is_one_file_and_escapes_what_users_wrote(tmp_path: Path) -> None:
    finding = Finding("label-unreadable", "error", "<script>alert(1)</script>", "a.txt:3")
    report = Report(
        title="A & B",
        verdict="Better",
        good=True,
        tables=[Table("Figures", ("", "hmean"), [("base", "0.5")])],
        diagnosis=[
            Diagnosis(
                "lr-high", "before", "warning", "a rate of <b>", {"lr": 0.3}, (Remedy("optimizer.lr=auto", "less"),)
            )
        ],
        notes=["a note"],
        figures=[Picture("curve", b"\x89PNG1234")],
        data=[CheckReport("icdar:x", findings=[finding], total_pages=3)],
        pages=[Picture("page", b"\xff\xd8jpeg")],
        config="a: 1",
        next_command="ocrtune predict x",
    )
    write_report(report, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in html
    assert "A &amp; B" in html
    assert html.index("Figures</h2>") < html.index("warning: lr-high") < html.index("a note")
    assert "a rate of &lt;b&gt;" in html
    assert "<code>optimizer.lr=auto</code> – less" in html
    assert "lr <b>0.3</b>" in html
    assert "data:image/png;base64," in html
    assert "data:image/jpeg;base64," in html
    assert "a.txt:3" in html
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
