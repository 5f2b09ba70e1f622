"""A recogniser that reads lines of one width alone: training, evaluation, export and use agree on it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from ocrtune.config.load import build_config
from ocrtune.config.schema import LineInputConfig, RecognitionConfig
from ocrtune.data.check.base import load_base
from ocrtune.data.check.pages import CheckSettings
from ocrtune.errors import ConfigError
from ocrtune.export.lines import write_recognition_bundle
from ocrtune.nn.backbones.svtrnet import Block, LocalMixer, svtrnet_large
from ocrtune.nn.engine import TorchTextEngine
from ocrtune.nn.heads.nrtr import PositionedNRTRDecoder
from ocrtune.page import Image, Page
from ocrtune.recognition.model import RECOGNIZERS, Seen, build_recognizer
from ocrtune.recognition.network import FAMILY
from ocrtune.recognition.task import RecognitionTask, suitable_input
from ocrtune.runtime.load import load_recognizer, recognition_settings
from ocrtune.runtime.recognizer import TextRecognizer
from ocrtune.training.optim import build_optimizer
from ocrtune.weights.defaults import line_preprocess
from ocrtune.weights.network import load_network
from support.svtr import LARGE, small_svtrnet

ARCH = "ctc_svtrnet_large"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LARGE, small_svtrnet)


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory, cable_pages: list[Page]) -> Path:
    path = tmp_path_factory.mktemp("words") / "dictionary.txt"
    texts = "".join(region.text or "" for page in cable_pages for region in page.regions)
    path.write_text("".join(f"{c}\n" for c in sorted(set(texts))), encoding="utf-8")
    return path


def config(dictionary: Path, **sections: object) -> RecognitionConfig:
    values = {
        "task": "recognition",
        "data": {"train": "x"},
        "model": {"arch": ARCH, "pretrained": None, **cast(dict[str, object], sections.pop("model", {}))},
        "text": {"dictionary": str(dictionary)},
        **sections,
    }
    return cast(RecognitionConfig, build_config(values))


def test_blocks_mix_neighbours_up_to_the_middle() -> None:
    with torch.device("meta"):
        network = svtrnet_large()
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    assert [isinstance(block.mixer, LocalMixer) for block in blocks] == [True] * 9 + [False] * 12
    assert [blocks[0].drop_path, blocks[-1].drop_path] == [0, 0.1]


def test_backbone_knows_places_and_drops_paths_in_training_alone() -> None:
    torch.manual_seed(0)
    network = small_svtrnet()
    x = torch.zeros(2, 3, 48, 320)
    with torch.no_grad():
        columns = network.eval()(x)
        assert columns.shape == (2, 64, 1, 40)
        assert torch.equal(columns, network(x))
        assert torch.equal(columns[0], columns[1])
        assert not torch.allclose(columns[..., 10], columns[..., 20], atol=1e-3)
        network.pos_embed.weight.zero_()
        inside = network(x)[..., 15:25]
        torch.testing.assert_close(inside, inside[..., :1].expand_as(inside))
        network.train()
        for block in (module for module in network.modules() if isinstance(module, Block)):
            block.drop_path = 0.5
        torch.manual_seed(1)
        first = network(x)
        assert not torch.equal(first, network(x))
        torch.manual_seed(1)
        assert torch.equal(first, network(x))
    with pytest.raises(RuntimeError, match="must match the size"):
        network(torch.zeros(1, 3, 48, 640))


@pytest.mark.parametrize("arch", RECOGNIZERS)
def test_default_settings_are_the_networks_own(arch: str) -> None:
    with torch.device("meta"):
        seen = build_recognizer(arch, 12).seen
    preprocess = line_preprocess(arch)
    assert preprocess.height == seen.height
    widths = {preprocess.input_width(width, 48) for width in (10, 200, 2000)}
    assert (widths == {seen.width}) == (seen.width is not None)


def test_another_width_is_refused_where_it_is_asked_for() -> None:
    fixed, free = Seen(48, 8, width=320), Seen(48, 8)
    assert suitable_input(LineInputConfig(), free) == LineInputConfig()
    taken = suitable_input(LineInputConfig(max_width=320), fixed)
    assert (taken.min_width, taken.max_width) == (320, 320)
    with pytest.raises(ConfigError, match="one width alone, which 1600 is not") as caught:
        suitable_input(LineInputConfig(max_width=1600), fixed)
    assert (caught.value.where, caught.value.expected) == ("input.max_width", "320")


@pytest.mark.usefixtures("small")
def test_every_line_has_the_width_from_training_to_use(
    tmp_path: Path, cable_pages: list[Page], dictionary: Path
) -> None:
    torch.manual_seed(0)
    pages = cable_pages[:8]
    task = RecognitionTask(config(dictionary, model={"guide": True}, augment={"join": 1.0}), pages, pages)
    assert (task.config.input.min_width, task.config.input.max_width) == (320, 320)
    batches = [task.collate([task.samples.sample(0, index)]) for index in range(len(task.samples))]
    assert {batch.images.shape[2] for batch in batches} == {320}
    assert max(int(batch.widths.max()) for batch in batches) <= 320
    network = task.network()
    assert isinstance(network.guide, PositionedNRTRDecoder)
    before = {name: tensor.clone() for name, tensor in network.named_parameters()}
    optimizer = build_optimizer(network, task.config.optimizer, 1e-4)
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {decays[id(network.get_parameter(name))] for name in ("backbone.pos_embed.weight", "guide.positions")} == {0}
    task.loss(network.train(), task.collate([task.samples.sample(0, index) for index in range(4)]))["loss"].backward()
    optimizer.step()
    assert all(not torch.equal(parameter, before[name]) for name, parameter in network.named_parameters())

    bundle = write_recognition_bundle(
        tmp_path / "bundle",
        network,
        arch=ARCH,
        form="training",
        preprocess=task.preprocess,
        charset=task.charset,
        policy="exact",
        val=pages,
        provenance={},
    )
    preprocess, thresholds = recognition_settings(bundle)
    assert (preprocess.min_width, preprocess.max_width) == (320, 320)
    loaded = load_network(FAMILY, str(bundle.path))
    recognizer = load_recognizer(bundle)
    torch_side = TextRecognizer(TorchTextEngine(loaded.model), preprocess, task.charset, thresholds)
    rng = np.random.default_rng(0)
    crops: list[Image] = [rng.integers(0, 255, size, np.uint8) for size in ((48, 20, 3), (30, 150, 3), (20, 900, 3))]
    for ours, theirs in zip(recognizer.read(crops), torch_side.read(crops), strict=True):
        assert ours.text == theirs.text
        assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-4)
    checked = load_base(bundle, "bundle").settings(CheckSettings())
    assert (checked.column, checked.max_width) == (8, 320)
    again = RecognitionTask(config(dictionary, model={"arch": "auto", "pretrained": str(bundle.path)}), pages, pages)
    assert (again.preprocess.min_width, again.preprocess.max_width) == (320, 320)
