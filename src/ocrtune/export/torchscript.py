"""TorchScript, for programs that hold libtorch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ocrtune.bundle import Bundle, TaskName
from ocrtune.detection.network import FAMILY as DETECTORS
from ocrtune.orientation.network import FAMILY as CLASSIFIERS
from ocrtune.recognition.network import FAMILY as RECOGNIZERS
from ocrtune.weights.network import Family, inference_form, load_network

_FAMILIES: Mapping[TaskName, Family[Any]] = {family.task: family for family in (DETECTORS, RECOGNIZERS, CLASSIFIERS)}


def folded_network(bundle: Bundle) -> tuple[nn.Module, Tensor]:
    """A bundle's network in inference form, and an input on which it runs.

    Raises:
        BundleError: its weights are damaged.
    """
    family = _FAMILIES[bundle.manifest.task]
    folded = inference_form(family, load_network(family, str(bundle.path)).model)
    return folded, family.example(folded)


def torchscript(network: nn.Module, example: Tensor) -> bytes:
    """A network as TorchScript: float32 [batch, 3, height, width] -> probabilities, float32.

    Args:
        network: as `ocrtune.weights.network.inference_form` gives it.
        example: an input on which it is traced; sizes that the network takes from its input stay dynamic.
    """
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of comparisons of sizes, which hold for every size that is allowed
        traced = torch.jit.trace(network.cpu().eval().requires_grad_(False), example, check_trace=False)
    torch.jit.save(traced, buffer)
    return buffer.getvalue()
