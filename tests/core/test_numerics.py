"""The kernels' elementary functions in float32 against numpy's in float64."""

import numpy as np
import pytest

from rnnscope.core.engines.numerics import SINGLE

numba = pytest.importorskip("numba")

EXACT = {"exp": np.exp, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
RANGES = {"exp": (-87, 88.3), "log": (1e-6, 9), "log1p": (-0.99, 9), "tanh": (-12, 12), "sigmoid": (-80, 80)}


@pytest.fixture(scope="module")
def functions():
    """Each over an array, compiled as in a kernel."""
    compiled = numba.njit(error_model="numpy", fastmath={"contract"})
    names = {"np": np, "F": np.float32, "INFINITY": np.inf, "NAN": np.nan, "compiled": compiled}
    exec(SINGLE.replace("\ndef ", "\n@compiled\ndef "), names)

    def over_arrays(function):
        @compiled
        def run(values):
            found = np.empty_like(values)
            for k in range(len(values)):
                found[k] = function(values[k])
            return found

        return run

    return {name: over_arrays(names[name]) for name in EXACT}


@pytest.mark.parametrize("name", EXACT)
def test_within_3e_7(name, functions):
    values = np.linspace(*RANGES[name], 200_001, dtype=np.float32)
    with np.errstate(divide="ignore"):
        exact = EXACT[name](values.astype(np.float64))
    np.testing.assert_allclose(functions[name](values), exact, rtol=3e-7, atol=1e-37)


@pytest.mark.parametrize("name", EXACT)
def test_what_is_no_number_and_what_is_infinite(name, functions):
    values = np.array([np.nan, np.inf, -np.inf, 0, -0.0, -1.5, 1], np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(functions[name](values), EXACT[name](values.astype(np.float64)), rtol=3e-7)


def test_logarithms_of_very_small_and_very_large_numbers(functions):
    values = np.logspace(-37, 38, 100_001).astype(np.float32)
    np.testing.assert_allclose(functions["log"](values), np.log(values.astype(np.float64)), rtol=3e-7)
