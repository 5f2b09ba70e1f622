"""CTC recognisers: which backbone, neck and guide belong together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from torch import Tensor, nn

from ocrtune.errors import named
from ocrtune.nn.backbones.mobilenetv1 import mobilenetv1_line_v2, mobilenetv1_line_v3
from ocrtune.nn.backbones.mobilenetv3 import mobilenetv3_line_small_x0_5
from ocrtune.nn.backbones.pphgnet import pphgnet_small_rec
from ocrtune.nn.backbones.pphgnetv2 import pphgnetv2_b4_rec
from ocrtune.nn.backbones.pplcnetv3 import pplcnetv3_rec_x0_95
from ocrtune.nn.backbones.pplcnetv4 import pplcnetv4_rec_medium, pplcnetv4_rec_small, pplcnetv4_rec_tiny
from ocrtune.nn.backbones.resnet_line import resnet34_vd_line
from ocrtune.nn.backbones.svtrnet import svtrnet_large
from ocrtune.nn.heads.nrtr import NRTRDecoder, PositionedNRTRDecoder
from ocrtune.nn.heads.sar import SARDecoder
from ocrtune.nn.necks.conv import ConvNeck
from ocrtune.nn.necks.rnn import BiLSTMNeck
from ocrtune.nn.necks.svtr import LightSVTRNeck, SVTRNeck

Neck: TypeAlias = BiLSTMNeck | ConvNeck | LightSVTRNeck | SVTRNeck
Guide: TypeAlias = NRTRDecoder | SARDecoder


class Seen(NamedTuple):
    """How a line lies in the input and in the output.

    Attributes:
        height: of the input, in pixels.
        column: pixels of width that become one column of the output.
        width: of the input, in pixels, where the network reads no other; None where any will do.
    """

    height: int
    column: int
    width: int | None = None


_HIGH = Seen(height=48, column=8)
_HIGH_FIXED = Seen(height=48, column=8, width=320)
_LOW = Seen(height=32, column=4)


class Told(NamedTuple):
    """What a guide is told of the lines of a batch.

    Attributes:
        tokens: the start and the text, long [N, L].
        valid: share of each line's columns that is no padding, float [N].
    """

    tokens: Tensor
    valid: Tensor


class Guided(NamedTuple):
    """What a recogniser gives in guided training.

    Attributes:
        ctc: logits of the classes, float [N, T, classes].
        guide: logits of the guide's tokens, float [N, L, tokens].
    """

    ctc: Tensor
    guide: Tensor


class CTCRecognizer(nn.Module):
    """Backbone, neck and a linear layer over the characters; in training a guide may read the backbone's output as well.

    Args:
        backbone: float [N, 3, H, W] -> float [N, C, 1, T].
        neck: that -> float [N, T, D].
        classes: characters and the blank.
        seen: at which size lines are read, and how wide a column of the output is.
        guide_alone: guided training leaves the backbone to the guide: CTC gives it no gradient.

    Attributes:
        guide: None, or a decoder that is dropped after training.
    """

    def __init__(
        self, backbone: nn.Module, neck: Neck, classes: int, *, seen: Seen = _HIGH, guide_alone: bool = False
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = nn.Linear(neck.out_channels, classes)
        self.seen = seen
        self.guide_alone = guide_alone
        self.guide: Guide | None = None

    def forward(self, x: Tensor, told: Told | None = None) -> Tensor | Guided:
        """float [N, 3, H, W] -> float [N, T, classes], T = W / 8 (W / 4 for lines of height 32) rounded down.

        Args:
            x: the lines.
            told: for guided training; the network must have a guide.

        Returns:
            eval mode: probabilities of the classes; training mode: logits, with the guide's where that is told the texts.
        """
        features = self.backbone(x)
        if told is not None:
            assert self.guide is not None
            logits = self.head(self.neck(features.detach() if self.guide_alone else features))
            return Guided(logits, self.guide(features, told.tokens, told.valid))
        logits = self.head(self.neck(features))
        return logits if self.training else logits.float().softmax(dim=-1)


def ctc_mobilenetv3_crnn(classes: int = 6625) -> CTCRecognizer:
    """PP-OCR v2.0 mobile: MobileNetV3 small x0.5, BiLSTM 48, lines of height 32."""
    backbone = mobilenetv3_line_small_x0_5()
    return CTCRecognizer(backbone, BiLSTMNeck(backbone.out_channels, 48), classes, seen=_LOW)


def ctc_resnet34_crnn(classes: int = 6625) -> CTCRecognizer:
    """PP-OCR v2.0 server: ResNet-34-vd, BiLSTM 256, lines of height 32."""
    backbone = resnet34_vd_line()
    return CTCRecognizer(backbone, BiLSTMNeck(backbone.out_channels, 256), classes, seen=_LOW)


def ctc_mobilenetv1_crnn(classes: int = 6625) -> CTCRecognizer:
    """PP-OCRv2: MobileNetV1-enhance x0.5, BiLSTM 64 narrowed to 96, lines of height 32."""
    backbone = mobilenetv1_line_v2()
    return CTCRecognizer(backbone, BiLSTMNeck(backbone.out_channels, 64, narrow=96), classes, seen=_LOW)


def ctc_mobilenetv1_svtr(classes: int = 6625) -> CTCRecognizer:
    """PP-OCRv3 mobile: MobileNetV1-enhance x0.5, SVTR neck 64 with 3x3 kernels."""
    backbone = mobilenetv1_line_v3()
    neck = SVTRNeck(backbone.out_channels, out_channels=64, kernel=(3, 3))
    return CTCRecognizer(backbone, neck, classes, guide_alone=True)


def ctc_pplcnetv3_mobile(classes: int = 6625) -> CTCRecognizer:
    """PP-OCRv4 mobile (and v5 mobile): PP-LCNetV3 x0.95, SVTR neck 120."""
    backbone = pplcnetv3_rec_x0_95()
    return CTCRecognizer(backbone, SVTRNeck(backbone.out_channels), classes, guide_alone=True)


def ctc_pphgnet_server(classes: int = 6625) -> CTCRecognizer:
    """PP-OCRv4 server: PP-HGNet small, SVTR neck 120."""
    backbone = pphgnet_small_rec()
    return CTCRecognizer(backbone, SVTRNeck(backbone.out_channels), classes, guide_alone=True)


def ctc_svtrnet_large(classes: int = 6625) -> CTCRecognizer:
    """PP-OCRv4 svtr_large, the teacher of v4 mobile: SVTRNet, SVTR neck 256, lines of 48 x 320 pixels."""
    backbone = svtrnet_large()
    neck = SVTRNeck(backbone.out_channels, hidden=256, out_channels=256)
    return CTCRecognizer(backbone, neck, classes, seen=_HIGH_FIXED, guide_alone=True)


def ctc_pphgnetv2_server(classes: int = 18385) -> CTCRecognizer:
    """PP-OCRv5 server: PP-HGNetV2-B4, SVTR neck 120."""
    backbone = pphgnetv2_b4_rec()
    return CTCRecognizer(backbone, SVTRNeck(backbone.out_channels), classes, guide_alone=True)


def ctc_pplcnetv4_tiny(classes: int = 6906) -> CTCRecognizer:
    """PP-OCRv6 tiny: PP-LCNetV4, convolutions narrowed to 80."""
    backbone = pplcnetv4_rec_tiny()
    return CTCRecognizer(backbone, ConvNeck(backbone.out_channels, narrow=80), classes)


def ctc_pplcnetv4_small(classes: int = 18710) -> CTCRecognizer:
    """PP-OCRv6 small: PP-LCNetV4, light SVTR neck 120."""
    backbone = pplcnetv4_rec_small()
    return CTCRecognizer(backbone, LightSVTRNeck(backbone.out_channels), classes)


def ctc_pplcnetv4_medium(classes: int = 18710) -> CTCRecognizer:
    """PP-OCRv6 medium: PP-LCNetV4, light SVTR neck 192."""
    backbone = pplcnetv4_rec_medium()
    return CTCRecognizer(backbone, LightSVTRNeck(backbone.out_channels, channels=192, ratio=4), classes)


RECOGNIZERS: dict[str, Callable[[int], CTCRecognizer]] = {
    "ctc_mobilenetv3_crnn": ctc_mobilenetv3_crnn,
    "ctc_resnet34_crnn": ctc_resnet34_crnn,
    "ctc_mobilenetv1_crnn": ctc_mobilenetv1_crnn,
    "ctc_mobilenetv1_svtr": ctc_mobilenetv1_svtr,
    "ctc_pplcnetv3_mobile": ctc_pplcnetv3_mobile,
    "ctc_pphgnet_server": ctc_pphgnet_server,
    "ctc_svtrnet_large": ctc_svtrnet_large,
    "ctc_pphgnetv2_server": ctc_pphgnetv2_server,
    "ctc_pplcnetv4_tiny": ctc_pplcnetv4_tiny,
    "ctc_pplcnetv4_small": ctc_pplcnetv4_small,
    "ctc_pplcnetv4_medium": ctc_pplcnetv4_medium,
}
GUIDES: dict[str, Callable[[int, int], Guide]] = {
    "ctc_mobilenetv1_svtr": SARDecoder,
    "ctc_pplcnetv3_mobile": NRTRDecoder,
    "ctc_pphgnet_server": NRTRDecoder,
    "ctc_svtrnet_large": partial(PositionedNRTRDecoder, width=512),
    "ctc_pphgnetv2_server": NRTRDecoder,
    "ctc_pplcnetv4_tiny": NRTRDecoder,
    "ctc_pplcnetv4_small": NRTRDecoder,
    "ctc_pplcnetv4_medium": partial(NRTRDecoder, width=512),
}
"""From channels of the backbone and classes to the guide of the official training; earlier recognisers had none."""


def build_recognizer(arch: str, classes: int) -> CTCRecognizer:
    """A recogniser in its training form with fresh weights, without a guide.

    Args:
        arch: key of `RECOGNIZERS`.
        classes: characters and the blank.

    Raises:
        ConfigError: no recogniser has this name.
    """
    return named(arch, RECOGNIZERS, "recogniser", "model.arch")(classes)


def build_guide(arch: str, model: CTCRecognizer) -> Guide | None:
    """A guide with fresh weights for a recogniser; None where the official training had none.

    Args:
        arch: the recogniser's name.
        model: the recogniser.
    """
    if arch not in GUIDES:
        return None
    channels = model.backbone.out_channels
    assert isinstance(channels, int)
    return GUIDES[arch](channels, model.head.out_features)
