"""Products of tiles against torch's, for every number of rows and for columns that fill no tile."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from numba import njit

from rnnscope.core.engines.products import BYTES, added, laid, packed, product, turned

SIZES = [
    (rows, depth, columns) for rows in (*range(1, 18), 100) for depth, columns in ((1, 1), (7, 33), (64, 128), (250, 90))
]
OLDER = """
import sys
import torch
from rnnscope.core.engines.products import BYTES, MOST, packed, product

left, right = torch.randn(13, 50), torch.randn(50, 37)
weights = packed(right.numpy())
out = torch.empty(13, weights.shape[0] * weights.shape[2])
product(left.numpy(), 0, weights, out.numpy(), 0, 13, False)
print(BYTES, MOST, (out[:, :37] - left @ right).abs().max().item() < 1e-4)
"""


@njit
def laid_out(rows, k, panels, p, sums):
    laid(rows, k, panels, p, sums)


def multiplied(left, right, back=False):
    weights = packed(right.numpy())
    out = torch.full((len(left), weights.shape[0] * weights.shape[2]), torch.nan, dtype=left.dtype)
    product(left.numpy(), 0, weights, out.numpy(), 0, len(left), back)
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_product_is_torchs(dtype):
    random = torch.Generator().manual_seed(0)
    for rows, depth, columns in SIZES:
        left, right = (torch.randn(*shape, generator=random, dtype=dtype) for shape in ((rows, depth), (depth, columns)))
        found = multiplied(left, right)
        assert found.shape[1] % (2 * BYTES // left.itemsize) == 0
        assert not found[:, columns:].any()
        within = 4 * depth * torch.finfo(dtype).eps * left.abs().max() * right.abs().max()
        torch.testing.assert_close(found[:, :columns], left @ right, rtol=0, atol=float(within))
        assert torch.equal(multiplied(left, right, back=True), found)


def test_a_row_does_not_depend_on_those_beside_it():
    left, right = torch.randn(17, 50), torch.randn(50, 40)
    whole = multiplied(left, right)
    for first in range(15):
        assert torch.equal(multiplied(left[first : first + 2], right), whole[first : first + 2])


@pytest.mark.parametrize("rows", [1, 2, 13])
def test_rows_from_a_place_on_are_added_to_others_and_only_these(rows):
    left, right = torch.randn(20, 50), torch.randn(50, 64)
    out = torch.randn(16, 64)
    expected = out.clone()
    expected[2 : 2 + rows] += left[5 : 5 + rows] @ right
    added(left.numpy(), 5, packed(right.numpy()), out.numpy(), 2, 2 + rows, False)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 3, 8, 13])
def test_rows_that_lie_along_are_multiplied_too(rows, dtype):
    left, right, out = (torch.randn(*shape, dtype=dtype) for shape in ((50, rows), (50, 64), (rows, 64)))
    expected = out + left.T @ right
    turned(left.numpy(), 0, packed(right.numpy()), out.numpy(), 0, rows, False)
    torch.testing.assert_close(out, expected, rtol=0, atol=500 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_rows_laid_out_in_panels_and_added_up(dtype):
    width = 2 * BYTES // dtype.itemsize
    rows, sums = torch.randn(9, 3 * width, dtype=dtype), torch.randn(3 * width, dtype=dtype)
    expected, panels = sums + rows[2:7].sum(0), np.zeros((3, 5, width), rows.numpy().dtype)
    for p in range(3):
        laid_out(rows.numpy(), 2, panels, p, sums.numpy())
    np.testing.assert_array_equal(panels, packed(rows[2:7].numpy()))
    torch.testing.assert_close(sums, expected, rtol=0, atol=20 * torch.finfo(dtype).eps)


def test_without_columns_nothing_is_written_and_without_terms_zeros_are():
    assert multiplied(torch.ones(3, 5), torch.ones(5, 0)).shape == (3, 0)
    np.testing.assert_array_equal(multiplied(torch.ones(3, 0), torch.ones(0, 4)), 0)


@pytest.mark.skipif(BYTES < 32, reason="these vectors or shorter ones are what it has")
@pytest.mark.parametrize(("features", "tile"), [("+avx,+avx2,+fma", "32 4"), ("", "16 4")])
def test_processors_with_shorter_vectors(features, tile):
    older = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features or "+sse2"}
    ran = subprocess.run([sys.executable, "-c", OLDER], env=os.environ | older, capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[0] == f"{tile} True"
