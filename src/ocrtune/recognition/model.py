"""CTC recognisers: which backbone and neck belong together."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ocrtune.errors import named
from ocrtune.nn.backbones.pplcnetv3 import pplcnetv3_rec_x0_95
from ocrtune.nn.backbones.pplcnetv4 import pplcnetv4_rec_small
from ocrtune.nn.necks.svtr import LightSVTRNeck, SVTRNeck


class CTCRecognizer(nn.Module):
    """Backbone, SVTR neck and a linear layer over the characters.

    Args:
        backbone: float [N, 3, 48, W] -> float [N, C, 1, T].
        neck: that -> float [N, T, D].
        classes: characters and the blank.
    """

    def __init__(self, backbone: nn.Module, neck: SVTRNeck | LightSVTRNeck, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = nn.Linear(neck.out_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, 48, W] -> float [N, T, classes], T = W / 8 rounded down.

        Returns:
            eval mode: probabilities of the classes; training mode: logits.
        """
        logits: Tensor = self.head(self.neck(self.backbone(x)))
        return logits if self.training else logits.float().softmax(dim=-1)


def ctc_pplcnetv3_mobile(classes: int = 6625) -> CTCRecognizer:
    """PP-OCRv4 mobile (and v5 mobile): PP-LCNetV3 x0.95, SVTR neck 120."""
    backbone = pplcnetv3_rec_x0_95()
    return CTCRecognizer(backbone, SVTRNeck(backbone.out_channels), classes)


def ctc_pplcnetv4_small(classes: int = 18710) -> CTCRecognizer:
    """PP-OCRv6 small: PP-LCNetV4, light SVTR neck 120."""
    backbone = pplcnetv4_rec_small()
    return CTCRecognizer(backbone, LightSVTRNeck(backbone.out_channels), classes)


RECOGNIZERS: dict[str, Callable[[int], CTCRecognizer]] = {
    "ctc_pplcnetv3_mobile": ctc_pplcnetv3_mobile,
    "ctc_pplcnetv4_small": ctc_pplcnetv4_small,
}


def build_recognizer(arch: str, classes: int) -> CTCRecognizer:
    """A recogniser in its training form with fresh weights.

    Args:
        arch: key of `RECOGNIZERS`.
        classes: characters and the blank.

    Raises:
        ConfigError: no recogniser has this name.
    """
    return named(arch, RECOGNIZERS, "recogniser", "model.arch")(classes)
