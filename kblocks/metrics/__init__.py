"""Metrics of the field, for evaluation, by the libraries that compute them."""

from kblocks.metrics.bleu import bleu

__all__ = ["bleu"]
