"""The contract's forward pass and gradients on the other backends, one process each."""

from pathlib import Path

import pytest

from tests.parity.other_backends import check_on


@pytest.mark.parity
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_contract_on(backend: str) -> None:
    # JAX spends its time on compiling, and what is compiled here runs once.
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    check_on(backend, str(Path(__file__).parents[1]), marks="contract", **quick)
