"""Every operation, saved in a package and read back, gives what its definition says.

The definitions are written once more in `definitions`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813  as Apple calls it
from coremltools.converters.mil.mil import types

from deimv2.converters.mlpackage.convert import operations
from deimv2.mil import OPERATIONS, UnsupportedError
from deimv2.tests.mil.definitions import (
    bilinear,
    conv,
    erf,
    pooled,
    real,
    weights,
)
from deimv2.tests.mil.packages import Array, run, save

NP = {types.fp32: np.float32, types.fp16: np.float16}
KERNEL = {"kernel_sizes": [3, 2], "strides": [2, 1]}
CUSTOM = {"pad_type": "custom", "pad": [1, 0, 0, 2]}
# By operation and what is special: how it is built, its inputs, and its definition.
FLOAT: dict[str, tuple[Callable[..., Any], list[Array], Callable[..., Array]]] = {
    "abs": (lambda x: mb.abs(x=x), [real(2, 3)], np.abs),
    "add": (lambda x, y: mb.add(x=x, y=y), [real(2, 1, 3), real(4, 1)], np.add),
    "sub": (lambda x, y: mb.sub(x=x, y=y), [real(2, 3), real(3)], np.subtract),
    "mul": (lambda x, y: mb.mul(x=x, y=y), [real(2, 3), real(2, 1)], np.multiply),
    "maximum": (lambda x, y: mb.maximum(x=x, y=y), [real(2, 3), real(3)], np.maximum),
    "minimum": (lambda x, y: mb.minimum(x=x, y=y), [real(2, 3), real(3)], np.minimum),
    "floor": (lambda x: mb.floor(x=x), [real(2, 9)], np.floor),
    "rsqrt": (
        lambda x: mb.rsqrt(x=x, epsilon=0.5), [real(2, 3, low=0)], lambda x: (x + 0.5) ** -0.5
    ),
    "clip": (
        lambda x: mb.clip(x=x, alpha=NP[x.dtype](-1), beta=NP[x.dtype](2)),
        [real(3, 9)],
        lambda x: x.clip(-1, 2),
    ),
    "relu": (lambda x: mb.relu(x=x), [real(3, 9)], lambda x: np.maximum(x, 0)),
    "sigmoid": (lambda x: mb.sigmoid(x=x), [real(3, 9)], lambda x: 1 / (1 + np.exp(-x))),
    "silu": (lambda x: mb.silu(x=x), [real(3, 9)], lambda x: x / (1 + np.exp(-x))),
    "gelu": (lambda x: mb.gelu(x=x), [real(3, 9)], lambda x: x / 2 * (1 + erf(x / 2**0.5))),
    "softmax": (
        lambda x: mb.softmax(x=x, axis=1),
        [real(2, 3, 4)],
        lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
    ),
    "reduce_max": (
        lambda x: mb.reduce_max(x=x, axes=[-1, 0]), [real(2, 3, 4)], lambda x: x.max((-1, 0))
    ),
    "reduce_mean": (
        lambda x: mb.reduce_mean(x=x, axes=[2, 3], keep_dims=True),
        [real(2, 3, 4, 5)],
        lambda x: x.mean((2, 3), keepdims=True),
    ),
    "linear": (
        lambda x: mb.linear(x=x, weight=weights(4, 3).astype(NP[x.dtype]),
                            bias=weights(4).astype(NP[x.dtype])),
        [real(2, 5, 3)],
        lambda x: x @ weights(4, 3).T + weights(4),
    ),
    "linear without bias": (
        lambda x: mb.linear(x=x, weight=weights(4, 3).astype(NP[x.dtype])),
        [real(5, 3)],
        lambda x: x @ weights(4, 3).T,
    ),
    "matmul": (
        lambda x, y: mb.matmul(x=x, y=y), [real(2, 4, 3), weights(3, 5)], lambda x, y: x @ y
    ),
    "matmul of the transposed": (
        lambda x, y: mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True),
        [real(2, 3, 4), weights(2, 5, 3)],
        lambda x, y: x.swapaxes(1, 2) @ y.swapaxes(1, 2),
    ),
    "conv": (
        lambda x: mb.conv(
            x=x, weight=weights(6, 2, 3, 2).astype(NP[x.dtype]),
            bias=weights(6).astype(NP[x.dtype]), strides=[2, 1], dilations=[1, 2], groups=2,
            **CUSTOM,
        ),
        [real(1, 4, 8, 7)],
        lambda x: conv(x, weights(6, 2, 3, 2), weights(6), (2, 1), (1, 0, 0, 2), (1, 2), 2),
    ),
    "conv without padding or bias": (
        lambda x: mb.conv(x=x, weight=weights(6, 4, 3, 3).astype(NP[x.dtype]), pad_type="valid"),
        [real(1, 4, 5, 6)],
        lambda x: conv(x, weights(6, 4, 3, 3), np.zeros(6), (1, 1), (0,) * 4, (1, 1), 1),
    ),
    "max_pool": (
        lambda x: mb.max_pool(x=x, **KERNEL, **CUSTOM),
        [real(1, 2, 6, 5, low=-9, high=-1)],
        lambda x: pooled(x, (1, 0, 0, 2), -np.inf, np.max),
    ),
    "avg_pool": (
        lambda x: mb.avg_pool(x=x, **KERNEL, **CUSTOM),
        [real(1, 2, 6, 5)],
        lambda x: pooled(x, (1, 0, 0, 2), 0, np.mean),
    ),
    "upsample_nearest_neighbor": (
        lambda x: mb.upsample_nearest_neighbor(
            x=x, scale_factor_height=2, scale_factor_width=3
        ),
        [real(1, 2, 3, 2)],
        lambda x: np.kron(x, np.ones((1, 1, 2, 3))),
    ),
    # The grids of two pixels, as Apple's reference lists them.
    "upsample_bilinear": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=3.0, scale_factor_width=2.5, align_corners=False
        ),
        [real(1, 2, 2, 2)],
        lambda x: bilinear(x, [0, 0, 1 / 3, 2 / 3, 1, 1], [0, 0.1, 0.5, 0.9, 1]),
    ),
    "upsample_bilinear to fewer": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=0.5, scale_factor_width=1 / 3, align_corners=False
        ),
        [real(1, 2, 4, 9)],
        lambda x: bilinear(x, [0.5, 2.5], [1, 4, 7]),
    ),
    "reshape": (
        lambda x: mb.reshape(x=x, shape=[4, -1]), [real(2, 3, 4)], lambda x: x.reshape(4, 6)
    ),
    "transpose": (
        lambda x: mb.transpose(x=x, perm=[-1, 0, 1]), [real(2, 3, 4)],
        lambda x: x.transpose(2, 0, 1),
    ),
    "expand_dims": (
        lambda x: mb.expand_dims(x=x, axes=[-1, 0]), [real(2, 3)], lambda x: x[None, ..., None]
    ),
    "concat": (
        lambda x, y: mb.concat(values=[x, y, x], axis=1), [real(2, 3), real(2, 1)],
        lambda x, y: np.concatenate([x, y, x], 1),
    ),
    "pad": (
        lambda x: mb.pad(x=x, pad=[1, 0, 0, 2], constant_val=NP[x.dtype](-1)),
        [real(1, 2, 3, 4)],
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2)), constant_values=-1),
    ),
    "slice_by_index": (
        lambda x: mb.slice_by_index(
            x=x, begin=[1, 9, -3, 2], end=[2, 9, -1, 9], stride=[1, 1, 1, 2],
            begin_mask=[False, True, False, False], end_mask=[False, True, False, True],
            squeeze_mask=[True, False, False, False],
        ),
        [real(2, 3, 4, 7)],
        lambda x: x[1, :, -3:-1, 2::2],
    ),
    "slice_by_index without masks": (
        lambda x: mb.slice_by_index(x=x, begin=[0, 1], end=[1, 3]), [real(2, 4)],
        lambda x: x[0:1, 1:3],
    ),
    "topk": (
        lambda x: mb.topk(x=x, k=2, axis=1)[0], [real(2, 5)], lambda x: -np.sort(-x, 1)[:, :2]
    ),
    "topk of the least": (
        lambda x: mb.topk(x=x, k=2, axis=0, ascending=True, return_indices=False),
        [real(5, 2)],
        lambda x: np.sort(x, 0)[:2],
    ),
    "select": (
        lambda x, y: mb.select(cond=mb.greater_equal(x=x, y=y), a=x, b=y),
        [real(3, 4), real(4)],
        np.maximum,
    ),
}  # fmt: skip
INDICES = np.int32([[2, 0], [1, 2]])
INTEGER: dict[str, tuple[Callable[..., Any], list[Array], Array]] = {
    "cast": (
        lambda x: mb.cast(x=x, dtype="int32"), [np.float32([-1.5, 1.5, 2.99])], [-1, 1, 2]
    ),
    "cast to bool": (
        lambda x: mb.cast(x=mb.cast(x=x, dtype="bool"), dtype="int32"),
        [np.float32([-1.5, 0, 2])],
        [1, 0, 1],
    ),
    "greater_equal": (
        lambda x, y: mb.cast(x=mb.greater_equal(x=x, y=y), dtype="int32"),
        [np.int32([1, 2, 3]), np.int32([2])],
        [0, 1, 1],
    ),
    "mul": (lambda x, y: mb.mul(x=x, y=y), [np.int32([3, -4]), np.int32([5])], [15, -20]),
    "gather": (
        lambda x, i: mb.gather(x=x, indices=i, axis=1),
        [np.float32([[1, 2, 3], [4, 5, 6]]), INDICES],
        [[[3, 1], [2, 3]], [[6, 4], [5, 6]]],
    ),
    "topk's places, the first of equal ones first": (
        lambda x: mb.topk(x=x, k=3, axis=1)[1], [np.float32([[1, 3, 2, 3, 2]])], [[1, 3, 2]]
    ),
    # halves go to the even step; 300 and -300 leave the range
    "quantize": (
        lambda x: mb.cast(
            x=mb.quantize(input=x, scale=0.5, zero_point=np.int8(3), output_dtype="int8"),
            dtype="int32",
        ),
        [np.float32([0.25, 0.75, -0.25, 1.3, 300, -300])],
        [3, 5, 3, 6, 127, -128],
    ),
    "quantize by channel, without a zero point": (
        lambda x: mb.cast(
            x=mb.quantize(
                input=x, scale=np.float32([1, 2]), axis=1, output_dtype="uint8"
            ),
            dtype="int32",
        ),
        [np.float32([[1, 6], [-1, 1000]])],
        [[1, 3], [0, 255]],
    ),
    "dequantize": (
        lambda x: mb.dequantize(
            input=mb.quantize(input=x, scale=1.0, output_dtype="int8"),
            scale=0.5, zero_point=np.int8(-128),
        ),
        [np.float32([-128, 0, 127])],
        [0, 64, 127.5],
    ),
    "dequantize by channel": (
        lambda x: mb.dequantize(
            input=mb.quantize(input=x, scale=1.0, output_dtype="uint8"),
            scale=np.float32([0.5, 2]), axis=-1,
        ),
        [np.float32([[10, 200]])],
        [[5, 400]],
    ),
    "constexpr_affine_dequantize": (
        lambda x: mb.add(x=x, y=mb.constexpr_affine_dequantize(
            quantized_data=np.int8([[-128, 0], [127, 1]]), zero_point=np.int8([-128, 1]),
            scale=np.float32([0.5, 2]), axis=0,
        )),
        [np.zeros((2, 2), np.float32)],
        [[0, 64], [252, 0]],
    ),
    "constexpr_affine_dequantize by one step": (
        lambda x: mb.add(x=x, y=mb.constexpr_affine_dequantize(
            quantized_data=np.uint8([0, 255]), zero_point=np.uint8(100), scale=np.float32(2),
            axis=0,
        )),
        [np.zeros(2, np.float32)],
        [-200, 310],
    ),
}  # fmt: skip
REFUSED: dict[str, tuple[Callable[..., Any], Array]] = {
    "operation 'tanh'": (lambda x: mb.tanh(x=x), real(2)),
    "mode='TANH_APPROXIMATION'": (lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"), real(2)),
    "dtype='int8', expected 'fp32' or": (
        lambda x: mb.cast(x=mb.cast(x=x, dtype="int8"), dtype="fp32"), real(2)
    ),
    "pad_type='same', expected 'valid' or 'custom'": (
        lambda x: mb.conv(x=x, weight=weights(4, 3, 3, 3), pad_type="same"), real(1, 3, 4, 4)
    ),
    "an input of 3 dimensions": (
        lambda x: mb.conv(x=x, weight=weights(4, 3, 3), pad_type="valid"), real(1, 3, 4)
    ),
    "ceil_mode=True": (
        lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2], pad_type="valid", ceil_mode=True),
        real(1, 2, 5, 5),
    ),
    "exclude_padding_from_average=True": (
        lambda x: mb.avg_pool(
            x=x, kernel_sizes=[2, 2], pad_type="valid", exclude_padding_from_average=True
        ),
        real(1, 2, 4, 4),
    ),
    "interleave=True": (
        lambda x: mb.concat(values=[x, x], axis=1, interleave=True), real(2, 3)
    ),
    "mode='reflect'": (lambda x: mb.pad(x=x, pad=[1, 1], mode="reflect"), real(2, 3)),
    "shape=[0, -1], expected no 0": (lambda x: mb.reshape(x=x, shape=[0, -1]), real(2, 3, 4)),
    "stride=[-1], expected 1 or more": (
        lambda x: mb.slice_by_index(
            x=x, begin=[3], end=[0], stride=[-1], begin_mask=[True], end_mask=[True]
        ),
        real(5),
    ),
    "a computed shape": (
        lambda x: mb.reduce_max(
            x=mb.reshape(x=x, shape=mb.cast(x=mb.reduce_max(x=x, keep_dims=True), dtype="int32")),
            axes=[0], keep_dims=True,
        ),
        real(6),
    ),
    "scale_factor 1.5 x 2.0, expected whole numbers": (
        lambda x: mb.upsample_nearest_neighbor(
            x=x, scale_factor_height=1.5, scale_factor_width=2.0
        ),
        real(1, 2, 4, 4),
    ),
    "align_corners=True": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2, scale_factor_width=2, align_corners=True
        ),
        real(1, 2, 4, 4),
    ),
    "half_pixel_centers=False": (
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2, scale_factor_width=2, align_corners=False,
            half_pixel_centers=False,
        ),
        real(1, 2, 4, 4),
    ),
    "of type uint16": (
        lambda x: mb.cast(
            x=mb.topk(x=x, k=1, output_indices_dtype="uint16")[1], dtype="int32"
        ),
        real(3),
    ),
    "batch_dims=1": (
        lambda x: mb.gather(x=x, indices=np.int32([[0], [1]]), axis=1, batch_dims=1), real(2, 3)
    ),
}  # fmt: skip


def name_of(case: str) -> str:
    return case.split()[0].rstrip("'s,") if case.startswith("topk") else case.split()[0]


def test_every_operation_has_a_case() -> None:
    assert {name_of(case) for case in (*FLOAT, *INTEGER)} == set(OPERATIONS)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("case", FLOAT)
def test_an_operation_of_floats(tmp_path: Path, case: str, dtype: type) -> None:
    build, inputs, define = FLOAT[case]
    path = save(tmp_path / "a.mlpackage", build, *(x.astype(dtype) for x in inputs))
    assert operations(path)[name_of(case)]
    (found,) = run(path, *(x.astype(dtype) for x in inputs))
    assert found.dtype == dtype
    expected = define(*inputs)
    assert found.shape == expected.shape
    ulp = np.finfo(dtype).eps
    np.testing.assert_allclose(found, expected, rtol=4 * ulp, atol=4 * ulp)


@pytest.mark.parametrize("case", INTEGER)
def test_an_operation_with_integers(tmp_path: Path, case: str) -> None:
    build, inputs, expected = INTEGER[case]
    path = save(tmp_path / "a.mlpackage", build, *inputs)
    assert operations(path)[name_of(case)]
    (found,) = run(path, *inputs)
    assert found.tolist() == expected


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_computed_is_named(tmp_path: Path, case: str) -> None:
    build, x = REFUSED[case]
    path = save(tmp_path / "a.mlpackage", build, x)
    with pytest.raises(UnsupportedError) as error:
        run(path, x)
    assert case in str(error.value)
