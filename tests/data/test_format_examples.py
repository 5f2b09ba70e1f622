"""Label files as the tools and data sets that define the formats write them."""

from __future__ import annotations

import io
import json
import logging
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from ocrtune.data.formats import parse_dataset_path, read_dataset, write_dataset
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion, image_size
from support.labels import turned
from support.pages import rectangle, save_image


def regions_of(name: str, path: Path) -> list[TextRegion]:
    """The regions of the one page at a path, whose format is detected."""
    assert parse_dataset_path(str(path)).format == name
    (page,) = read_dataset(str(path))
    return page.regions


def put(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def texts(regions: list[TextRegion]) -> list[tuple[str | None, bool]]:
    return [(region.text, region.ignore) for region in regions]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return save_image(tmp_path / "images" / "page.png", 200, 100)


def test_coco_text_2_and_1_and_textocr(tmp_path: Path, image: Path) -> None:
    images = {"7": {"id": 7, "set": "train", "width": 200, "height": 100, "file_name": "page.png"}}
    labels = {
        "1": {"mask": [1, 2, 30, 2, 30, 12, 15, 14, 1, 12], "bbox": [1, 2, 29, 12], "image_id": 7, "id": 1,
              "language": "english", "legibility": "legible", "utf8_string": "bent", "class": "machine printed"},
        "2": {"bbox": [5.5, 6, 10, 20], "image_id": 7, "id": 2, "legibility": "illegible", "language": "na"},
        "3": {"bbox": [5.5, 6, 10, 20], "image_id": 7, "id": 3, "legibility": "legible", "utf8_string": "",
              "polygon": [5.5, 6, 15.5, 6, 15.5, 26, 5.5, 26]},
    }  # fmt: skip
    document = {"cats": {}, "anns": labels, "imgs": images, "imgToAnns": {"7": [1, 2, 3]}, "info": {}}
    regions = regions_of("coco-text", put(tmp_path / "cocotext.v2.json", document))
    assert texts(regions) == [("bent", False), (None, True), ("", False)]
    assert [len(region.polygon) for region in regions] == [5, 4, 4]
    assert regions[1].polygon.tolist() == [[5.5, 6], [15.5, 6], [15.5, 26], [5.5, 26]]
    label = {"id": "a_1", "image_id": "a", "bbox": [1, 2, 3, 4], "points": [1, 2, 4, 2, 4, 6, 1, 6], "utf8_string": "."}
    document = {"info": {}, "imgs": {"a": {"id": "a", "file_name": "train/page.png"}}, "anns": {"a_1": label}}
    assert texts(regions_of("coco-text", put(tmp_path / "TextOCR.json", document))) == [(None, True)]


def test_ctw1500_in_its_three_forms(tmp_path: Path, image: Path) -> None:
    points = [(20 + 10 * i, 20) for i in range(7)] + [(80 - 10 * i, 40) for i in range(7)]
    values = [value for point in points for value in point]
    segs = ",".join(map(str, values))
    xml = f"""<Annotations><image file="page.png">
        <box height="20" left="20" top="20" width="60">
        <label>OLATHE &amp; CO</label><segs>{segs}</segs><pts x="1" y="2"/></box>
        <box height="20" left="20" top="20" width="60"><label>###</label><segs>{segs}</segs></box></image></Annotations>"""
    regions = regions_of("ctw1500", put(tmp_path / "xml" / "page.xml", xml).parent)
    assert texts(regions) == [("OLATHE & CO", False), (None, True)]
    assert regions[0].polygon.tolist() == [list(point) for point in points]
    save_image(tmp_path / "images" / "1001.png")
    lines = f"{segs},####Latin, 9\n{segs},#######\n"
    regions = regions_of("ctw1500", put(tmp_path / "txt" / "0001001.txt", lines).parent)
    assert texts(regions) == [("Latin, 9", False), (None, True)]
    relative = ",".join(map(str, [20, 20, 80, 40, *(v - 20 for v in values)]))
    put(tmp_path / "old" / "page.txt", relative + "\n")
    (page,) = read_dataset(f"ctw1500:{tmp_path / 'old'}")
    assert page.regions[0].polygon.tolist() == [list(point) for point in points]


def test_total_text_with_wrapped_lines_and_plain_quotes(tmp_path: Path, image: Path) -> None:
    lines = (
        "x: [[ 10  40  80\n 120 110  30]], y: [[50 30\n 24 30 60 70]], ornt: [u'c'], transcriptions: [u'ALPACA']\n"
        "x: [[1 9 9 1]], y: [[1 1 5 5]], ornt: [u'#'], transcriptions: [u'#']\n"
        "x: [[1 9 9 1]], y: [[1 1 5 5]], ornt: [u'h'], transcriptions: [u'DON'T']\n"
        "x: [[1 9 9 1]], y: [[1 1 5 5]], ornt: [u'm'], transcriptions: [u\"IT'S\"]\n"
        "x: [[1 9 9]], y: [[1 1 5 5]], ornt: [u'm'], transcriptions: [u'three']\n"
    )
    path = put(tmp_path / "gt" / "poly_gt_page.txt", lines)
    faults: list[DataError] = []
    (page,) = read_dataset(str(path.parent), faults.append)
    assert texts(page.regions) == [("ALPACA", False), (None, True), ("DON'T", False), ("IT'S", False)]
    assert page.regions[0].polygon[:3].tolist() == [[10, 50], [40, 30], [80, 24]]
    assert [fault.where for fault in faults] == [f"{path}:7"]


def test_td500_turns_around_the_centre(tmp_path: Path) -> None:
    save_image(tmp_path / "IMG_1.png")
    put(tmp_path / "IMG_1.gt", f"0 0 50 53 60 14 {math.radians(30)}\n1 1 1 2 30 10 0.0\n2 0 1 2 3\n")
    faults: list[DataError] = []
    (page,) = read_dataset(str(tmp_path), faults.append)
    np.testing.assert_allclose(page.regions[0].polygon, turned(30).polygon, atol=1e-4)
    assert page.regions[1].ignore
    assert page.regions[1].polygon.tolist() == [[1, 2], [31, 2], [31, 12], [1, 12]]
    assert [fault.where for fault in faults] == [f"{tmp_path / 'IMG_1.gt'}:3"]


def test_funsd_words_and_entries_without_words(tmp_path: Path, image: Path) -> None:
    words = [{"box": [10, 10, 30, 20], "text": "TO:"}, {"box": [35, 10, 60, 20], "text": ""}]
    form = [
        {"box": [10, 10, 60, 20], "text": "TO:", "label": "question", "words": words, "linking": [[0, 1]], "id": 0},
        {"box": [10, 40, 60, 50], "text": "###", "label": "other", "words": [], "linking": [], "id": 1},
    ]
    put(tmp_path / "annotations" / "page.json", {"form": form})
    assert texts(regions_of("funsd", tmp_path)) == [("TO:", False), ("", False), (None, True)]


def test_labelimg_with_a_windows_path_and_rolabelimg(
    tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box = "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>60</xmax><ymax>40</ymax></bndbox>"
    angle = math.radians(250)
    turned_box = f"<robndbox><cx>80</cx><cy>60</cy><w>60</w><h>14</h><angle>{angle}</angle></robndbox>"
    xml = f"""<annotation verified="yes"><folder>images</folder><filename>C:\\Users\\me\\images\\page.png</filename>
        <path>C:\\Users\\me\\images\\page.png</path><size><width>200</width><height>100</height><depth>3</depth></size>
        <object><name>A &lt; B</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>{box}</object>
        <object><name>hard</name><difficult>1</difficult>{box}</object>
        <object><type>robndbox</type><name>r</name><difficult>0</difficult>{turned_box}</object></annotation>"""
    put(tmp_path / "Annotations" / "page.xml", xml)
    with caplog.at_level(logging.WARNING, logger="ocrtune"):
        regions = regions_of("voc", tmp_path)
    assert "1 image paths" in caplog.text
    assert "C:\\Users" in caplog.text
    assert texts(regions) == [("A < B", False), ("hard", True), ("r", False)]
    assert regions[0].polygon.tolist() == [[10, 20], [60, 20], [60, 40], [10, 40]]
    np.testing.assert_allclose(regions[2].polygon, turned(250).polygon, atol=1e-4)


def test_cvat_boxes_with_rotation_polygons_and_other_shapes(tmp_path: Path, image: Path) -> None:
    xml = """<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta/>
        <image id="0" name="page.png" width="200" height="100">
        <box label="text" source="manual" occluded="0" xtl="50" ytl="53" xbr="110" ybr="67" rotation="30.0" z_order="0">
          <attribute name="Transcription">tilted</attribute></box>
        <polygon label="text" points="1.5,2;30,2;30,12;15,14;1.5,12"><attribute name="text"></attribute></polygon>
        <box label="ignore" xtl="5" ytl="5" xbr="9" ybr="9"></box>
        <polyline label="text" points="1,2;3,4"/><tag label="page"/>
        </image></annotations>"""
    put(tmp_path / "annotations.xml", xml)
    faults: list[DataError] = []
    (page,) = read_dataset(str(tmp_path), faults.append)
    assert texts(page.regions) == [("tilted", False), ("", False), (None, True)]
    np.testing.assert_allclose(page.regions[0].polygon, turned(30).polygon, atol=1e-4)
    assert len(page.regions[1].polygon) == 5
    assert [fault.what for fault in faults] == ["a polyline is no outline of a text"]
    assert (faults[0].where or "").endswith("annotations.xml:7")


def test_labelme_shapes(tmp_path: Path, image: Path) -> None:
    shapes = [
        {"label": "TOTAL", "points": [[60, 40], [10, 20]], "shape_type": "rectangle", "flags": {}},
        {"label": "text", "description": "round", "points": [[1, 2], [30, 2], [30, 12], [15, 14], [1, 12]],
         "shape_type": "polygon", "flags": {"difficult": True}},
        {"label": "x", "points": [[5, 5]], "shape_type": "point", "flags": {}},
    ]  # fmt: skip
    document: dict[str, object] = {
        "version": "5.4.1",
        "flags": {},
        "shapes": shapes,
        "imagePath": "..\\images\\page.png",
        "imageData": None,
    }
    put(tmp_path / "labels" / "page.json", document)
    faults: list[DataError] = []
    (page,) = read_dataset(str(tmp_path / "labels"), faults.append)
    assert texts(page.regions) == [("TOTAL", False), ("round", True)]
    assert page.regions[0].polygon.tolist() == [[10, 20], [60, 20], [60, 40], [10, 40]]
    assert [fault.where for fault in faults] == [f"{tmp_path / 'labels' / 'page.json'}: shapes[2]"]


@pytest.mark.parametrize(
    "address", ["/data/upload/3/1a2b3c4d-page.png", "/data/local-files/?d=images/page.png", "page.png"]
)
def test_label_studio_regions_of_several_results(address: str, tmp_path: Path, image: Path) -> None:
    corner = turned(30).polygon[0]
    place = {"x": corner[0] / 2, "y": float(corner[1]), "width": 30, "height": 14, "rotation": 30}
    size = {"original_width": 200, "original_height": 100, "image_rotation": 0, "to_name": "image"}
    place = {key: float(value) for key, value in place.items()}
    results = [
        {"id": "a", "type": "rectangle", "from_name": "bbox", "value": place, **size},
        {"id": "a", "type": "labels", "from_name": "label", "value": {**place, "labels": ["Text"]}, **size},
        {"id": "a", "type": "textarea", "from_name": "transcription", "value": {**place, "text": ["tilted"]}, **size},
        {"id": "b", "type": "polygonlabels", "from_name": "poly", **size,
         "value": {"points": [[1, 2], [30, 2], [30, 12], [1, 12]], "polygonlabels": ["Ignore"]}},
        {"id": "c", "type": "choices", "from_name": "kind", "value": {"choices": ["receipt"]}},
    ]  # fmt: skip
    skipped = {"was_cancelled": True, "result": []}
    task = {
        "id": 1,
        "data": {"ocr": address},
        "annotations": [skipped, {"id": 9, "result": results}],
        "predictions": [],
    }
    regions = regions_of("label-studio", put(tmp_path / "project.json", [task]))
    assert texts(regions) == [("tilted", False), (None, True)]
    np.testing.assert_allclose(regions[0].polygon, turned(30).polygon, atol=1e-3)
    assert regions[1].polygon.tolist() == [[2, 2], [60, 2], [60, 12], [2, 12]]


def test_label_studio_gets_predictions_as_predictions(tmp_path: Path, image: Path) -> None:
    region = rectangle(10, 20, 60, 40, "guess")
    region.score = 0.75
    write_dataset([Page(image, [region])], "label-studio", tmp_path / "tasks.json")
    (task,) = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert "annotations" not in task
    assert task["predictions"][0]["score"] == 0.75
    assert regions_of("label-studio", tmp_path / "tasks.json")[0].score == 0.75


def test_alto_words_hyphens_and_other_units(tmp_path: Path, image: Path) -> None:
    xml = """<?xml version="1.0"?><alto xmlns="http://www.loc.gov/standards/alto/ns-v3#"><Description>
        <MeasurementUnit>mm10</MeasurementUnit><sourceImageInformation><fileName>page.png</fileName></sourceImageInformation>
        </Description><Layout><Page WIDTH="400" HEIGHT="400"><PrintSpace><ComposedBlock><TextBlock>
        <TextLine HPOS="20" VPOS="40" WIDTH="100" HEIGHT="40"><String CONTENT="Die"/><SP/><String CONTENT="Zei"/>
        <HYP CONTENT="-"/></TextLine>
        <TextLine HPOS="20" VPOS="40" WIDTH="100" HEIGHT="40"><Shape><Polygon POINTS="20 40 120 40 120 80 20 80"/>
        </Shape></TextLine></TextBlock></ComposedBlock></PrintSpace></Page></Layout></alto>"""
    regions = regions_of("alto", put(tmp_path / "alto" / "page.xml", xml).parent)
    assert texts(regions) == [("Die Zei-", False), (None, False)]
    for region in regions:
        assert region.polygon.tolist() == [[10, 10], [60, 10], [60, 20], [10, 20]]


def test_page_xml_of_two_editions(tmp_path: Path, image: Path) -> None:
    xml = """<?xml version="1.0"?><PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Metadata/>
        <Page imageFilename="page.png" imageWidth="200" imageHeight="100">
        <TextRegion id="r"><Coords points="0,0 9,0 9,9 0,9"/>
        <TextLine id="a"><Coords points="10,10 60,10 60,20 30,22 10,20"/>
        <Word id="w"><TextEquiv><Unicode>no</Unicode></TextEquiv>
        </Word><TextEquiv index="1"><Unicode>second</Unicode></TextEquiv>
        <TextEquiv index="0"><Unicode>first</Unicode></TextEquiv>
        </TextLine><TextLine id="b"><Coords><Point x="1" y="2"/><Point x="9" y="2"/><Point x="9" y="5"/><Point x="1" y="5"/>
        </Coords></TextLine></TextRegion></Page></PcGts>"""
    regions = regions_of("page-xml", put(tmp_path / "page" / "page.xml", xml).parent)
    assert texts(regions) == [("first", False), (None, False)]
    assert len(regions[0].polygon) == 5
    assert regions[1].polygon.tolist() == [[1, 2], [9, 2], [9, 5], [1, 5]]


def test_ppocrlabel_keeps_difficult_texts_apart(tmp_path: Path, image: Path) -> None:
    points = [[10, 10], [60, 10], [60, 20], [10, 20]]
    entries = [
        {"transcription": "hard", "points": points, "difficult": True},
        {"transcription": "###", "points": points, "difficult": False},
        {"transcription": "", "points": points, "difficult": False},
    ]
    label = put(tmp_path / "images" / "Label.txt", f"images/page.png\t{json.dumps(entries)}\n")
    regions = regions_of("paddle", label.parent)
    assert texts(regions) == [("hard", True), (None, True), ("", False)]


@pytest.mark.parametrize("root", ["/home/someone/data", "D:\\data", "\\\\server\\share"])
def test_paths_of_another_machine_are_found_near_the_label_file(
    root: str, tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_image(tmp_path / "other" / "page.png", seed=9)
    separator = "\\" if "\\" in root else "/"
    names = [separator.join([root, *tail]) for tail in (("images", "page.png"), ("other", "page.png"))]
    put(tmp_path / "set.json", {"images": [{"file_name": name, "annotations": []} for name in names]})
    with caplog.at_level(logging.WARNING, logger="ocrtune"):
        pages = read_dataset(str(tmp_path / "set.json"))
    assert [page.path.parent.name for page in pages] == ["images", "other"], (
        "the longest part of the path that is there"
    )
    (record,) = caplog.records
    assert "2 image paths" in record.getMessage()


def test_images_of_another_part_are_never_taken(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save_image(tmp_path / f"{part}_images" / "img1.png", seed=len(part))
        put(
            tmp_path / f"{part}_gts" / "img1.txt",
            f"x: [[1 9 9 1]], y: [[1 1 5 5]], ornt: [u'h'], transcriptions: [u'{part}']",
        )
    with pytest.raises(DataError, match="several folders"):
        read_dataset(f"total-text:{tmp_path}")
    for part in ("train", "test"):
        (page,) = read_dataset(str(tmp_path / f"{part}_gts"))
        assert (page.path.parent.name, page.regions[0].text) == (f"{part}_images", part)
    for part in ("a", "b"):
        save_image(tmp_path / "more" / part / "img1.png")
    put(tmp_path / "more" / "gt" / "img1.gt", "0 0 1 2 3 4 0\n")
    with pytest.raises(DataError, match="several images are called img1"):
        read_dataset(str(tmp_path / "more" / "gt"))


def test_page_xml_with_other_xml_files_above_it(tmp_path: Path) -> None:
    save_image(tmp_path / "page.png")
    put(tmp_path / "mets.xml", "<mets/>")
    line = '<TextLine><Coords points="1,1 9,1 9,5 1,5"/></TextLine>'
    xml = f'<PcGts><Page imageFilename="page.png"><TextRegion>{line}</TextRegion></Page></PcGts>'
    put(tmp_path / "page" / "page.xml", xml)
    assert len(regions_of("page-xml", tmp_path)) == 1


def test_points_are_put_in_order(tmp_path: Path, image: Path) -> None:
    polygons = [
        [[60, 10], [10, 10], [10, 20], [60, 20]],  # counter-clockwise
        [[10, 10], [60, 10], [10, 20], [60, 20]],  # rows
        [[60, 20], [10, 10], [60, 10], [10, 20]],  # crossing, from the far corner
    ]
    annotations = [{"polygon": polygon, "text": "x"} for polygon in polygons]
    put(tmp_path / "set.json", {"images": [{"file_name": "images/page.png", "annotations": annotations}]})
    ordered = [region.polygon.tolist() for region in read_dataset(str(tmp_path / "set.json"))[0].regions]
    assert ordered[0] == [[60, 10], [60, 20], [10, 20], [10, 10]], "the first point stays the first"
    assert ordered[1] == ordered[2] == [[10, 10], [60, 10], [60, 20], [10, 20]]
    (page,) = read_dataset(str(tmp_path / "set.json"), as_written=True)
    assert [region.polygon.tolist() for region in page.regions] == polygons


def test_coordinates_are_those_of_the_image_as_it_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "turned.jpg"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # shown a quarter turn clockwise: 100 x 200
    PIL.Image.new("RGB", (200, 100)).save(file, exif=exif)
    page = Page(file, [rectangle(10, 150, 90, 190, "low")])
    assert page.load().shape[:2] == (200, 100)
    for name, path in (("label-studio", tmp_path / "a.json"), ("voc", tmp_path / "voc"), ("alto", tmp_path / "alto")):
        write_dataset([page], name, path)
        (region,) = regions_of(name, path)
        np.testing.assert_allclose(region.polygon, page.regions[0].polygon, atol=0.01)
    late = io.BytesIO()
    PIL.Image.new("RGB", (200, 100)).save(late, "PNG")
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    behind = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    content = late.getvalue()
    (tmp_path / "late.png").write_bytes(content[:-12] + behind + content[-12:])
    assert image_size(tmp_path / "late.png") == (100, 200), "a PNG may say it behind its pixels"
    assert "<width>100</width><height>200</height>" in (tmp_path / "voc" / "turned.xml").read_text(encoding="utf-8")


def test_standard_coco_is_not_taken_for_pages_without_labels(tmp_path: Path, image: Path) -> None:
    document = {"images": [{"id": 1, "file_name": "images/page.png"}], "annotations": [], "categories": []}
    with pytest.raises(DataError, match="no known label format"):
        read_dataset(str(put(tmp_path / "instances.json", document)))
