from __future__ import annotations

import pickle
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from ocrtune.charset import Charset
from ocrtune.config.load import build_config
from ocrtune.config.schema import RecognitionConfig
from ocrtune.errors import ConfigError
from ocrtune.export.lines import write_recognition_bundle
from ocrtune.nn.heads.nrtr import NRTRDecoder
from ocrtune.nn.heads.sar import SARDecoder
from ocrtune.page import Page
from ocrtune.recognition.guide import guide_loss, guide_tokens, merged_answers
from ocrtune.recognition.model import Guide, Told, build_guide, build_recognizer
from ocrtune.recognition.network import FAMILY, with_charset
from ocrtune.recognition.task import RecognitionTask, own_settings
from ocrtune.runtime.load import load_recognizer
from ocrtune.weights.network import load_network
from support.golden import generated_state, golden_recognizer, load_arrays, load_json, tensor


def recognition(**sections: object) -> RecognitionConfig:
    return cast(RecognitionConfig, build_config({"task": "recognition", "data": {"train": "x"}, **sections}))


@pytest.mark.parametrize(
    ("case", "part", "logits", "smoothing"),
    [
        ("nrtr", "smoothing_true", "recd/student_gtc", NRTRDecoder.SMOOTHING),
        ("nrtr", "smoothing_false", "recd/student_gtc", 0.0),
        ("sar", "value", "recd/student_sar", SARDecoder.SMOOTHING),
    ],
)
def test_loss_is_the_official_one(case: str, part: str, logits: str, smoothing: float) -> None:
    arrays, official = load_arrays("losses.npz"), load_json("losses.json")[case][part]
    classes = arrays["recd/student_ctc"].shape[2]
    kind = NRTRDecoder if case == "nrtr" else SARDecoder
    tokens = kind.tokens(classes)
    lengths = arrays["recd/length"].reshape(-1)
    labels = [row[:n].tolist() for row, n in zip(arrays["recd/label_ctc"], lengths, strict=True)]
    texts = guide_tokens(labels, tokens)
    known = torch.from_numpy(arrays["recd/label_gtc" if case == "nrtr" else "recd/label_sar"])
    assert torch.equal(texts, known[:, : texts.shape[1]])
    answers = texts[:, 1:]
    loss = guide_loss(tensor(arrays[logits])[:, : answers.shape[1]], answers, tokens.pad, smoothing)
    assert loss.item() == pytest.approx(official, rel=1e-5)


@pytest.mark.parametrize("kind", [NRTRDecoder, SARDecoder])
def test_cases_that_are_one_class_are_one_token(kind: type[NRTRDecoder] | type[SARDecoder]) -> None:
    charset = Charset(tuple("aAb1"))
    tokens = kind.tokens(charset.classes)
    answers = guide_tokens([charset.encode("A1b"), charset.encode("a1")], tokens)[:, 1:]
    count = charset.classes + (4 if kind is NRTRDecoder else 1)
    logits = torch.randn(1, answers.shape[1], count, generator=torch.Generator().manual_seed(0)).expand(2, -1, -1)
    merged, same = merged_answers(logits, answers, charset.case_pairs(), tokens)
    assert merged.shape[2] == count - 1
    probabilities, shift = logits.softmax(2), tokens.first - 1
    either = probabilities[..., [charset.index("a") + shift, charset.index("A") + shift]].sum(2)
    one = torch.gather(merged.softmax(2), 2, same.clamp(max=count - 2)[..., None])[..., 0]
    torch.testing.assert_close(one[:, 0], either[:, 0])
    others = torch.gather(probabilities, 2, answers.clamp(max=count - 1)[..., None])[..., 0]
    torch.testing.assert_close(one[0, 1:], others[0, 1:])
    assert same[1, -1] == tokens.pad


@pytest.mark.parametrize("arch", ["ctc_pplcnetv4_tiny", "ctc_mobilenetv1_svtr"])
def test_guide_knows_its_characters_after_they_change(arch: str) -> None:
    before, after = Charset(tuple("abc")), Charset(tuple("cdab"))
    network = build_recognizer(arch, before.classes)
    guide = network.guide = build_guide(arch, network)
    assert guide is not None
    with_charset(network, before, after)
    changed = network.guide
    assert changed is not None
    valid, features = torch.ones(1), torch.randn(1, guide.in_channels, 1, 8)

    def answers(guide: Guide, charset: Charset) -> torch.Tensor:
        tokens = guide.tokens(charset.classes)
        told = guide_tokens([charset.encode("cab")], tokens)[:, :-1]
        columns = [charset.index(c) + tokens.first - 1 for c in "abc"] + [tokens.end]
        with torch.no_grad():
            return guide.eval()(features, told, valid)[..., columns]

    torch.testing.assert_close(answers(changed, after), answers(guide, before))


def test_guide_is_loaded_where_the_weights_have_one(tmp_path: Path) -> None:
    network = build_recognizer("ctc_pplcnetv4_tiny", 12)
    plain = network.state_dict()
    network.guide = build_guide("ctc_pplcnetv4_tiny", network)
    torch.save(network.state_dict(), tmp_path / "guided.pth")
    torch.save(plain, tmp_path / "plain.pth")
    guided = load_network(FAMILY, str(tmp_path / "guided.pth"), "ctc_pplcnetv4_tiny").model
    assert guided.guide is not None
    assert torch.equal(guided.guide.state_dict()["project.weight"], network.state_dict()["guide.project.weight"])
    assert load_network(FAMILY, str(tmp_path / "plain.pth"), "ctc_pplcnetv4_tiny").model.guide is None


@pytest.mark.parametrize("name", ["v20_mobile_rec", "v3_mobile_rec"])
def test_official_file_is_recognised_and_loaded_whole(name: str, tmp_path: Path) -> None:
    model = load_json(f"models/{name}.json")
    state = generated_state(model)
    second = {key: np.zeros(shape, np.float32) for key, (shape, _why) in model["not_generated"].items()}
    path = tmp_path / "official.pdparams"
    path.write_bytes(pickle.dumps({**state, **second, "StructuredToParameterName@@": {}}, protocol=4))
    loaded, expected = load_network(FAMILY, str(path)), golden_recognizer(name, model)
    assert loaded.form == "training"
    assert (loaded.model.guide is None) == (expected.guide is None)
    x = torch.zeros(1, 3, loaded.model.seen.height, 64)
    assert torch.equal(loaded.model.eval()(x), expected.eval()(x))


def test_guided_training_trains_both_and_exports_one(cable_pages: list[Page]) -> None:
    pages = cable_pages[:8]
    task = RecognitionTask(recognition(model={"guide": True}), pages, pages)
    network = task.network()
    assert network.guide is not None
    again = RecognitionTask(recognition(model={"guide": True}), pages, pages).network().state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in network.state_dict().items())
    scales = task.lr_scales(network)
    assert scales is not None
    assert not any(name.startswith("guide.") for name in scales)
    parts = task.loss(network.train(), task.collate([task.samples.sample(0, index) for index in range(2)]))
    torch.testing.assert_close(parts["loss"], parts["ctc"] + parts["guide"])
    parts["loss"].backward()
    for part in (network.guide, network.neck, network.backbone):
        assert any(p.grad is not None and bool(p.grad.any()) for p in part.parameters())
    plain = RecognitionTask(recognition(), pages, pages)
    assert plain.network().guide is None
    assert set(plain.loss(plain.network().train(), plain.collate([plain.samples.sample(0, 0)]))) == {"loss"}


def test_ctc_trains_the_backbone_unless_a_guide_does() -> None:
    network = build_recognizer("ctc_mobilenetv1_svtr", 12).train()
    network.guide = build_guide("ctc_mobilenetv1_svtr", network)
    x, told = torch.randn(2, 3, 48, 64), Told(torch.tensor([[12, 1], [12, 2]]), torch.ones(2))
    network(x, told).ctc.sum().backward()
    assert network.head.weight.grad is not None
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    network(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.backbone.parameters())


def test_guide_that_never_was_is_refused(cable_pages: list[Page]) -> None:
    config = recognition(model={"arch": "ctc_mobilenetv1_crnn", "pretrained": None, "guide": True})
    with pytest.raises(ConfigError, match="ctc_mobilenetv1_crnn was never trained with a guide"):
        RecognitionTask(config, cable_pages[:2], cable_pages[:2])


def test_low_lines_are_seen_low_up_to_the_bundle(tmp_path: Path, cable_pages: list[Page]) -> None:
    start = load_network(FAMILY, None, "ctc_mobilenetv3_crnn")
    preprocess, _ = own_settings(start)
    assert preprocess.height == 32
    charset = Charset(tuple(chr(0x4E00 + index) for index in range(start.model.head.out_features - 1)))
    bundle = write_recognition_bundle(
        tmp_path / "bundle",
        start.model,
        arch=start.arch,
        form=start.form,
        preprocess=preprocess,
        charset=charset,
        policy="exact",
        val=cable_pages[:4],
        provenance={},
    )
    assert len(load_recognizer(bundle).read([np.full((30, 90, 3), 128, np.uint8)])) == 1
    loaded = load_network(FAMILY, str(bundle.path))
    assert own_settings(loaded)[0].height == 32
    assert loaded.model.seen.column == 4
