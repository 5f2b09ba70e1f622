"""PaddleOCR weight files (``.pdparams``): read without running code, mapped to our names.

Source: Paddle's file format: a pickle of ``{name: numpy array}`` plus a table of internal names.
"""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ocrtune.errors import BundleError
from ocrtune.weights.report import why_unused

_INTERNAL_NAMES = "StructuredToParameterName@@"
_RENAMES = (
    (re.compile(r"\._mean$"), ".running_mean"),
    (re.compile(r"\._variance$"), ".running_var"),
    (re.compile(r"\._batch_norm\."), ".bn."),
    (re.compile(r"\._conv\."), ".conv."),
    (re.compile(r"\._depthwise_conv\."), ".dw_conv."),
    (re.compile(r"\._pointwise_conv\."), ".pw_conv."),
    (re.compile(r"\._se\."), ".se."),
    (re.compile(r"^(?:head\.ctc_encoder|neck)\.encoder\."), "neck."),
    (re.compile(r"^head\.(?:ctc_head\.)?fc1\."), "neck.fc1."),
    (re.compile(r"^head\.(?:ctc_head\.)?fc2?\."), "head."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.0\."), "neck.depthwise_conv.conv."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.1\."), "neck.depthwise_conv.bn."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.3\."), "neck.pointwise_conv.conv."),
    (re.compile(r"^head\.ctc_head\.guide_layer\.4\."), "neck.pointwise_conv.bn."),
    (re.compile(r"^backbone\.pos_embed$"), "backbone.pos_embed.weight"),
    (re.compile(r"^head\.before_gtc\.1\.fc\."), "guide.project."),
    (re.compile(r"^head\.before_gtc\.2\.dec_pos_embed$"), "guide.positions"),
    (re.compile(r"^head\.gtc_head\.embedding\."), "guide."),
    (re.compile(r"^head\.(?:gtc|sar)_head\."), "guide."),
    (re.compile(r"^(neck\.(?:conv\w+|skip_conv)\.)norm\."), r"\1bn."),
    (re.compile(r"^neck\.local_conv\.0\."), "neck.local_conv.conv."),
    (re.compile(r"^neck\.local_conv\.1\."), "neck.local_conv.bn."),
)
# what numpy arrays need when they are unpickled, by the names of numpy 1 and 2, and nothing else
_ARRAY_FUNCTIONS: tuple[tuple[str, str, Any], ...] = (
    ("multiarray", "_reconstruct", np.empty(0).__reduce__()[0]),
    ("multiarray", "scalar", np.float32(0).__reduce__()[0]),
    ("numeric", "_frombuffer", np.empty(0).__reduce_ex__(5)[0]),
)
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): lambda text, encoding: _as_bytes(text, encoding),
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in _ARRAY_FUNCTIONS
    },
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a weight file has no use for")
        return _ALLOWED[module, name]


def _as_bytes(text: str, encoding: str) -> bytes:
    """Protocol 2 writes bytes as Latin-1 text; other codecs, some of which unpack archives, are not for weights."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the codec {encoding}, which a weight file has no use for")
    return text.encode("latin1")


def read_pdparams(path: Path) -> dict[str, Any]:
    """The content of a ``.pdparams`` file, without Paddle's table of internal names; nothing from it is executed.

    Returns:
        arrays by Paddle's names; further entries of a training checkpoint as they are.

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
    return {str(name): value for name, value in content.items() if name != _INTERNAL_NAMES}


def torch_name(name: str) -> str:
    """A tensor's name in our networks for its name in Paddle's."""
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def as_tensor(array: npt.NDArray[Any]) -> Tensor:
    """An array as a tensor that may be written to; fp16 becomes fp32.

    Raises:
        TypeError: it holds no numbers.
    """
    array = array.astype(np.float32) if array.dtype == np.float16 else array
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def oriented(tensors: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Tensors in Paddle's layouts under a network's names, in that network's layouts.

    Linear weights are transposed; convolutions along lines, which are maps of height 1 here, get an axis for it.
    """
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    maps = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}

    def turned(name: str, tensor: Tensor) -> Tensor:
        if name in linear and tensor.ndim == 2:
            return tensor.t()
        return tensor[:, :, None] if name in maps and tensor.ndim == 3 else tensor

    return {name: turned(name, tensor) for name, tensor in tensors.items()}


def to_torch(state: Mapping[str, npt.NDArray[Any]], model: nn.Module) -> dict[str, Tensor]:
    """Arrays by Paddle's names as tensors under our names and layouts.

    Tensors that the official network carries but does not need are left out.
    """
    own = model.state_dict().keys()
    named = {torch_name(name): as_tensor(array) for name, array in state.items()}
    return oriented({name: t for name, t in named.items() if name in own or why_unused(name) is None}, model)
