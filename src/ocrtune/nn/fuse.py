"""Re-parameterisation: a training network becomes the smaller network that computes the same.

Source: Ding et al., "RepVGG" (2021), section 3.3. A module that can be replaced offers ``fused() -> nn.Module``.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_M = TypeVar("_M", bound=nn.Module)


def deployed(model: _M) -> _M:
    """A copy of the network in its deployed form, in eval mode: every module that offers ``fused()`` is replaced.

    The function that the network computes in eval mode stays the same (up to rounding, about 1e-6).
    """
    copied = copy.deepcopy(model).eval()
    _replace(copied)
    return copied


def deployed_like(model: _M, names: Collection[str]) -> tuple[_M, int]:
    """The network in the form that a file's tensors are in: modules are replaced where the file has them folded.

    Args:
        model: the network in its training form; it is changed.
        names: the file's tensors under the network's names.

    Returns:
        the network, and how many modules were replaced.
    """
    parents = {name[: place + 1] for name in names for place, letter in enumerate(name) if letter == "."}
    return model, _replace_where_folded(model, "", names, parents)


def _replace_where_folded(module: nn.Module, prefix: str, names: Collection[str], parents: Collection[str]) -> int:
    replaced = 0
    for name, child in module.named_children():
        path = f"{prefix}{name}."
        if path not in parents:  # the file has nothing of it in either form
            continue
        own = _keys(child)
        if callable(getattr(child, "fused", None)) and any(path + key not in names for key in own):
            replacement: nn.Module = copy.deepcopy(child).fused()  # type: ignore[operator]
            _replace(replacement)
            folded = _keys(replacement)
            if not any(path + key in names for key in own - folded) and any(path + key in names for key in folded):
                setattr(module, name, replacement)
                replaced += 1
                continue
        replaced += _replace_where_folded(child, path, names, parents)
    return replaced


def _keys(module: nn.Module) -> set[str]:
    return {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        fuse = getattr(child, "fused", None)
        if callable(fuse):
            replacement = fuse()
            _replace(replacement)
            setattr(module, name, replacement)
        else:
            _replace(child)


@torch.no_grad()
def bn_scale_and_shift(bn: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Batch normalisation in eval mode as y = scale * x + shift, float [C] each."""
    mean, var = bn.running_mean, bn.running_var
    assert mean is not None
    assert var is not None
    scale = bn.weight / torch.sqrt(var + bn.eps)
    return scale, bn.bias - mean * scale


@torch.no_grad()
def conv_bn_to_conv(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution with bias for a convolution and the batch normalisation after it."""
    scale, shift = bn_scale_and_shift(bn)
    bias = shift if conv.bias is None else shift + conv.bias * scale
    return conv_like(conv, conv.weight * scale[:, None, None, None], bias)


@torch.no_grad()
def deconv_bn_to_deconv(deconv: nn.ConvTranspose2d, bn: nn.BatchNorm2d) -> nn.ConvTranspose2d:
    """The same for a transposed convolution (whose output channels are the second axis; groups = 1)."""
    scale, shift = bn_scale_and_shift(bn)
    result = copy.deepcopy(deconv)
    assert deconv.bias is not None
    assert result.bias is not None
    result.weight.copy_(deconv.weight * scale[None, :, None, None])
    result.bias.copy_(shift + deconv.bias * scale)
    return result


@torch.no_grad()
def conv_like(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution with bias and the given weight, [out, in/groups, kh, kw], strides and padding taken over."""
    kernel = (int(weight.shape[2]), int(weight.shape[3]))
    assert not isinstance(conv.padding, str)
    grow = (kernel[0] - conv.kernel_size[0]) // 2
    padding = (conv.padding[0] + grow, conv.padding[1] + grow)
    result = nn.Conv2d(conv.in_channels, conv.out_channels, kernel, (conv.stride[0], conv.stride[1]), padding)
    result.groups = conv.groups
    result.weight = nn.Parameter(weight.clone())
    result.bias = nn.Parameter(bias.clone())
    return result


def centred(kernel: Tensor, size: int) -> Tensor:
    """Zero-pad a square kernel, [.., k, k], to [.., size, size] around its centre."""
    pad = (size - kernel.shape[-1]) // 2
    return F.pad(kernel, (pad, pad, pad, pad))


def dilated_kernel(kernel: Tensor, dilation: int) -> Tensor:
    """The dense form of a dilated kernel, [.., k, k] -> [.., (k-1)*dilation+1, ...] with zeros between."""
    if dilation == 1:
        return kernel
    size = (kernel.shape[-1] - 1) * dilation + 1
    dense = kernel.new_zeros(*kernel.shape[:-2], size, size)
    dense[..., ::dilation, ::dilation] = kernel
    return dense


def identity_kernel(channels: int, groups: int, size: int) -> Tensor:
    """The kernel, [C, C/groups, size, size], of a convolution that returns its input."""
    kernel = torch.zeros(channels, channels // groups, size, size)
    index = torch.arange(channels)
    kernel[index, index % (channels // groups), size // 2, size // 2] = 1
    return kernel
