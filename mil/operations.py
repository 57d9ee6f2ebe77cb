"""What the operations in our Core ML packages compute, after Apple's reference of MIL for iOS 17.

A function has the name and the parameters of its operation. Parameters annotated as tensors arrive
as such, float16 ones widened to float32; all others have to be constants and arrive as plain
values. The caller rounds the result to the type that the program stores it in: sums run in float32,
and a result is rounded once. Settings that none of our packages has are refused, never ignored.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class UnsupportedError(ValueError):
    """An operation or a setting that is not computed here."""


def only(name: str, value: object, *allowed: object) -> None:
    """Raises UnsupportedError for a setting that is not among the allowed ones."""
    if value not in allowed:
        expected = " or ".join(map(repr, allowed))
        raise UnsupportedError(f"{name}={value!r}, expected {expected}")


# Element by element, with broadcasting.


def add(x: Tensor, y: Tensor) -> Tensor:
    return x + y


def sub(x: Tensor, y: Tensor) -> Tensor:
    return x - y


def mul(x: Tensor, y: Tensor) -> Tensor:
    return x * y


def maximum(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x, y)


def minimum(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(x, y)


def greater_equal(x: Tensor, y: Tensor) -> Tensor:
    return x >= y


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(cond, a, b)


def cast(x: Tensor, dtype: str) -> Tensor:
    """The caller stores the result, which cuts fractions off where the type is an integer."""
    only("dtype", dtype, "fp32", "fp16", "int32", "bool")
    return x


def abs(x: Tensor) -> Tensor:
    return x.abs()


def floor(x: Tensor) -> Tensor:
    return x.floor()


def rsqrt(x: Tensor, epsilon: float) -> Tensor:
    return (x + epsilon).rsqrt()


def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    return x.clamp(alpha, beta)


def relu(x: Tensor) -> Tensor:
    return x.relu()


def sigmoid(x: Tensor) -> Tensor:
    return x.sigmoid()


def silu(x: Tensor) -> Tensor:
    return F.silu(x)


def gelu(x: Tensor, mode: str) -> Tensor:
    only("mode", mode, "EXACT")
    return F.gelu(x)


# int8


def quantize(
    input: Tensor,
    scale: Tensor,
    output_dtype: str,
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """Halves round to even."""
    only("output_dtype", output_dtype, "int8", "uint8")
    range_ = torch.iinfo(getattr(torch, output_dtype))
    steps = (input / along(axis, scale, input)).round()
    if zero_point is not None:
        steps = steps + along(axis, zero_point, input)
    return steps.clamp(range_.min, range_.max)


def dequantize(
    input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: int | None = None
) -> Tensor:
    steps = input.float()
    if zero_point is not None:
        steps = steps - along(axis, zero_point, input).float()
    return steps * along(axis, scale, input)


def constexpr_affine_dequantize(
    quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int
) -> Tensor:
    return dequantize(quantized_data, scale, zero_point, axis)


def along(axis: int | None, value: Tensor, data: Tensor) -> Tensor:
    """One value for all of `data`, or [N] with one for each place along the axis."""
    if value.ndim == 0:
        return value
    if axis is None:
        raise UnsupportedError("one step for every channel, but no axis")
    shape = [1] * data.ndim
    shape[axis] = -1
    return value.reshape(shape)


# Layers. Weights may be computed; feature maps are [B, C, H, W].


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x, weight, bias)


def matmul(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> Tensor:
    return torch.matmul(x.mT if transpose_x else x, y.mT if transpose_y else y)


def conv(
    x: Tensor,
    weight: Tensor,
    strides: Sequence[int],
    pad_type: str,
    pad: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    padded = F.pad(x, borders(x, pad_type, pad))
    return F.conv2d(padded, weight, bias, tuple(strides), 0, tuple(dilations), groups)


def max_pool(
    x: Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int],
    pad_type: str,
    pad: Sequence[int],
    ceil_mode: bool,
) -> Tensor:
    only("ceil_mode", ceil_mode, False)
    padded = F.pad(x, borders(x, pad_type, pad), value=-math.inf)
    return F.max_pool2d(padded, tuple(kernel_sizes), tuple(strides))


def avg_pool(
    x: Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int],
    pad_type: str,
    pad: Sequence[int],
    exclude_padding_from_average: bool,
    ceil_mode: bool,
) -> Tensor:
    only("ceil_mode", ceil_mode, False)
    only("exclude_padding_from_average", exclude_padding_from_average, False)
    padded = F.pad(x, borders(x, pad_type, pad))
    return F.avg_pool2d(padded, tuple(kernel_sizes), tuple(strides))


def borders(x: Tensor, pad_type: str, pad: Sequence[int]) -> tuple[int, int, int, int]:
    """MIL's padding (top, bottom, left, right) in PyTorch's order: left, right, top, bottom."""
    if x.ndim != 4:
        raise UnsupportedError(f"an input of {x.ndim} dimensions, expected [B, C, H, W]")
    only("pad_type", pad_type, "valid", "custom")
    if pad_type == "valid":
        only("pad", list(pad), [0, 0, 0, 0])
    top, bottom, left, right = pad
    return left, right, top, bottom


def softmax(x: Tensor, axis: int) -> Tensor:
    return x.softmax(axis)


def reduce_max(x: Tensor, keep_dims: bool, axes: Sequence[int] | None = None) -> Tensor:
    return x.amax(tuple(range(x.ndim) if axes is None else axes), keep_dims)


def reduce_mean(x: Tensor, keep_dims: bool, axes: Sequence[int] | None = None) -> Tensor:
    return x.mean(tuple(range(x.ndim) if axes is None else axes), keep_dims)


# Resizing.


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float,
    scale_factor_width: float,
    align_corners: bool,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    only("align_corners", align_corners, False)
    only("half_pixel_centers", half_pixel_centers, None, True)
    rows, columns = tents(x.shape[-2], scale_factor_height), tents(x.shape[-1], scale_factor_width)
    return rows @ x @ columns.mT


def tents(size: int, factor: float) -> Tensor:
    """float32 [n, size]: how much each of `size` pixels counts for each of the n it becomes."""
    n = math.floor(size * factor)
    places = (torch.arange(n, dtype=torch.float64) + 0.5) * (size / n) - 0.5
    distances = places.clamp(0, size - 1)[:, None] - torch.arange(size)
    return (1 - distances.abs()).relu().float()


def upsample_nearest_neighbor(
    x: Tensor, scale_factor_height: float, scale_factor_width: float
) -> Tensor:
    if scale_factor_height % 1 or scale_factor_width % 1:
        raise UnsupportedError(
            f"scale_factor {scale_factor_height} x {scale_factor_width}, expected whole numbers"
        )
    rows = x.repeat_interleave(int(scale_factor_height), -2)
    return rows.repeat_interleave(int(scale_factor_width), -1)


# Moving and choosing.


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    if 0 in shape:
        raise UnsupportedError(f"shape={shape}, expected no 0")
    return x.reshape(tuple(shape))


def transpose(x: Tensor, perm: Sequence[int]) -> Tensor:
    return x.permute(tuple(perm))


def expand_dims(x: Tensor, axes: Sequence[int]) -> Tensor:
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def concat(values: list[Tensor], axis: int, interleave: bool) -> Tensor:
    only("interleave", interleave, False)
    return torch.cat(values, axis)


def pad(x: Tensor, pad: Sequence[int], mode: str, constant_val: float) -> Tensor:
    """Before and after each of the last dimensions; PyTorch counts them from the last."""
    only("mode", mode, "constant")
    ends = [end for i in range(len(pad) - 2, -1, -2) for end in pad[i : i + 2]]
    return F.pad(x, ends, value=constant_val)


def slice_by_index(
    x: Tensor,
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int] | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> Tensor:
    """A mask says that there is no begin, no end, or that the begin alone is taken."""
    if stride is not None and min(stride) < 1:
        raise UnsupportedError(f"stride={stride}, expected 1 or more")
    places: list[int | slice] = []
    for i in range(x.ndim):
        first = None if begin_mask is not None and begin_mask[i] else begin[i]
        last = None if end_mask is not None and end_mask[i] else end[i]
        step = None if stride is None else stride[i]
        alone = squeeze_mask is not None and squeeze_mask[i]
        places.append((first or 0) if alone else slice(first, last, step))
    return x[tuple(places)]


def gather(
    x: Tensor, indices: Tensor, axis: int, batch_dims: int, validate_indices: bool
) -> Tensor:
    """Core ML leaves indices outside open unless it is told to refuse them; here they are refused
    always."""
    only("batch_dims", batch_dims, 0)
    axis %= x.ndim
    found = x.index_select(axis, indices.flatten())
    return found.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def topk(
    x: Tensor,
    k: int,
    axis: int,
    ascending: bool,
    sort: bool,
    return_indices: bool,
    output_indices_dtype: str | None = None,
) -> tuple[Tensor, ...]:
    """Sorted, also where no order is asked for; of equal values the first comes first."""
    only("output_indices_dtype", output_indices_dtype, None, "int32")
    values, indices = x.sort(dim=axis, descending=not ascending, stable=True)
    count = x.shape[axis] if k == -1 else k
    best = values.narrow(axis, 0, count), indices.narrow(axis, 0, count)
    return best if return_indices else best[:1]


OPERATIONS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    function.__name__: function
    for function in (
        abs, add, avg_pool, cast, clip, concat, constexpr_affine_dequantize, conv, dequantize,
        expand_dims, floor, gather, gelu, greater_equal, linear, matmul, max_pool,
        maximum, minimum, mul, pad, quantize, reduce_max, reduce_mean, relu, reshape, rsqrt,
        select, sigmoid, silu, slice_by_index, softmax, sub, topk,
        transpose, upsample_bilinear, upsample_nearest_neighbor,
    )
}  # fmt: skip
