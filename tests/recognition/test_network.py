from __future__ import annotations

import copy
from itertools import islice

import numpy as np
import onnxruntime
import pytest
import torch

from ocrtune.charset import Charset
from ocrtune.errors import BundleError, ConfigError
from ocrtune.nn.engine import TorchTextEngine
from ocrtune.page import Image, Page
from ocrtune.recognition.network import FAMILY, start_charset, with_charset
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.load import load_recognizer, recognition_settings
from ocrtune.runtime.recognizer import TextRecognizer
from ocrtune.weights.network import load_network
from ocrtune.weights.registry import published_bundle

NAMES = ("ppocrv4-mobile-rec", "ppocrv6-small-rec")


def crops_of(pages: list[Page], count: int) -> list[Image]:
    return [crop_region(page.load(), region.polygon) for page in islice(pages, count) for region in page.regions[:1]]


@pytest.mark.parametrize("name", NAMES)
def test_network_is_the_published_file_on_real_lines(name: str, cable_pages: list[Page]) -> None:
    bundle = published_bundle(name)
    network = load_network(FAMILY, name)
    preprocess, _ = recognition_settings(bundle)
    session = onnxruntime.InferenceSession(str(bundle.onnx), providers=["CPUExecutionProvider"])
    for crop in crops_of(cable_pages, 8):
        batch = preprocess([crop], preprocess.input_width(crop.shape[1], crop.shape[0]))
        with torch.no_grad():
            ours = network.model.eval()(torch.from_numpy(batch)).numpy()
        theirs = session.run(None, {session.get_inputs()[0].name: batch})[0]
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert network.form == "deployed"
    assert start_charset(network, None).classes == network.model.head.out_features


def test_extending_the_characters_keeps_every_reading(cable_pages: list[Page]) -> None:
    network = load_network(FAMILY, "ppocrv6-small-rec")
    before_set = start_charset(network, None)
    new = [chr(code) for code in range(0xE000, 0xE000 + 40)] + ["ﬃ"]  # private use characters, and a ligature
    assert all(character not in before_set for character in new)
    after_set = before_set.extended(new)
    extended = copy.deepcopy(network.model)
    with_charset(extended, before_set, after_set)
    assert extended.head.out_features == after_set.classes
    crops = crops_of(cable_pages, 60)
    preprocess, thresholds = recognition_settings(published_bundle("ppocrv6-small-rec"))

    def read(model: torch.nn.Module, charset: Charset) -> list[str]:
        recognizer = TextRecognizer(TorchTextEngine(model), preprocess, charset, thresholds)
        return [reading.text for reading in recognizer.read(crops)]

    texts = read(network.model, before_set)
    assert read(extended, after_set) == texts
    assert sum(map(bool, texts)) > 50, "the lines have to say something for the test to mean something"
    # reordering and dropping characters moves the rows with them
    kept = Charset(tuple(reversed([c for c in before_set.characters if ord(c[0]) < 0x3000])))
    smaller = copy.deepcopy(network.model)
    with_charset(smaller, before_set, kept)
    for character in "A7 -":
        row, old = kept.index(character), before_set.index(character)
        assert torch.equal(smaller.head.weight[row], network.model.head.weight[old])
    same = sum(a == b for a, b in zip(read(smaller, kept), texts, strict=True))
    assert same >= len(texts) - 2, "only lines that were read with dropped characters may differ"


def test_weights_without_characters_ask_for_them(tmp_path: object) -> None:
    network = load_network(FAMILY, None, "ctc_pplcnetv3_mobile")
    with pytest.raises(ConfigError, match="do not say which characters"):
        start_charset(network, None)
    with pytest.raises(ConfigError, match="no recogniser is called"):
        load_network(FAMILY, None, "ctc_pplcnetv3_mobil")
    with pytest.raises(BundleError, match="expected"):
        load_network(FAMILY, "ppocrv4-mobile-det")


def test_a_line_reads_the_same_alone_and_among_others(cable_pages: list[Page], receipt_pages: list[Page]) -> None:
    recognizer = load_recognizer(published_bundle("ppocrv4-mobile-rec"))
    page = receipt_pages[0]
    image = page.load()
    crops = crops_of(cable_pages, 12) + [crop_region(image, region.polygon) for region in page.regions[:12]]
    together = recognizer.read(crops)
    alone = [recognizer.read([crop])[0] for crop in crops]
    assert [r.text for r in together] == [r.text for r in alone]
    np.testing.assert_allclose([r.confidence for r in together], [r.confidence for r in alone], atol=1e-4)
