"""PaddleOCR weight files (``.pdparams``): read without running code, mapped to our names.

Source: Paddle's file format: a pickle of ``{name: numpy array}`` plus a table of internal names.
"""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ocrtune.errors import BundleError

_INTERNAL_NAMES = "StructuredToParameterName@@"
_RENAMES = (
    (re.compile(r"\._mean$"), ".running_mean"),
    (re.compile(r"\._variance$"), ".running_var"),
    (re.compile(r"\._batch_norm\."), ".bn."),
    (re.compile(r"\._conv\."), ".conv."),
    (re.compile(r"\._(depthwise_conv|pointwise_conv|se)\."), r".\1."),
    (re.compile(r"^(?:head\.ctc_encoder|neck)\.encoder\."), "neck."),
    (re.compile(r"^head\.(?:ctc_head\.)?fc1\."), "neck.fc1."),
    (re.compile(r"^head\.(?:ctc_head\.)?fc2?\."), "head."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.0\."), "neck.depthwise_conv.conv."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.1\."), "neck.depthwise_conv.bn."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.3\."), "neck.pointwise_conv.conv."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.4\."), "neck.pointwise_conv.bn."),
    (re.compile(r"^head\.before_gtc\.1\.fc\."), "guide.project."),
    (re.compile(r"^head\.gtc_head\.embedding\."), "guide."),
    (re.compile(r"^head\.(?:gtc|sar)_head\."), "guide."),
    (re.compile(r"^(neck\.(?:conv\w+|skip_conv)\.)norm\."), r"\1bn."),
    (re.compile(r"^neck\.local_conv\.0\."), "neck.local_conv.conv."),
    (re.compile(r"^neck\.local_conv\.1\."), "neck.local_conv.bn."),
)
# what official networks carry beside their weights: PP-HGNetV2's classifier, second names of an LSTM's tensors, sinusoids
_UNUSED = re.compile(r"^backbone\.(?:last_conv|fc)\.|\.\d+\.cell(?:_fw|_bw)?\.|\.positional_encoding\.pe$")
# what numpy arrays need when they are unpickled, and nothing else
_ALLOWED = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    *(
        (core, name)
        for core in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("_reconstruct", "scalar")
    ),
    *(("numpy", name) for name in ("ndarray", "dtype")),
    *((core, "_frombuffer") for core in ("numpy.core.numeric", "numpy._core.numeric")),
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return (
                super().find_class(module.replace("numpy.core", "numpy._core"), name)
                if "core" in module
                else (super().find_class(module, name))
            )
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a weight file has no use for")


def read_pdparams(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Tensors of a ``.pdparams`` file by Paddle's names; nothing from the file is executed.

    Raises:
        BundleError: the file is missing, no such pickle, or asks for anything but arrays.
    """
    try:
        content = _RestrictedUnpickler(io.BytesIO(path.read_bytes())).load()
    except FileNotFoundError as error:
        raise BundleError("the weight file does not exist", where=path) from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise BundleError(
            f"the weight file was refused: {error}", where=path, expected="a .pdparams file with arrays only"
        ) from error
    if not isinstance(content, dict):
        raise BundleError("the weight file holds no table of tensors", where=path)
    return {name: value for name, value in content.items() if name != _INTERNAL_NAMES and isinstance(value, np.ndarray)}


def torch_name(name: str) -> str:
    """A tensor's name in our networks for its name in Paddle's."""
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def to_torch(state: dict[str, npt.NDArray[Any]], model: nn.Module) -> dict[str, Tensor]:
    """Tensors under our names and layouts: normalisation statistics renamed, linear weights transposed, fp16 as fp32.

    Tensors that the official network carries but does not need are left out.
    """
    own = model.state_dict()
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    result = {}
    for paddle_name, value in state.items():
        name = torch_name(paddle_name)
        if name not in own and _UNUSED.search(paddle_name):
            continue
        array = value.astype(np.float32) if value.dtype == np.float16 else value
        if name in own and array.ndim == 3 and own[name].ndim == 4:
            array = array[:, :, None]  # a convolution along lines, which are maps of height 1 here
        result[name] = torch.from_numpy(np.ascontiguousarray(array.T if name in linear else array))
    return result
