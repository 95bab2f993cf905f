"""Pictures of what a model does: attention, gates, gradients, similarity, trees, learning curves.

Each function returns a `matplotlib.figure.Figure` and, given a `path`, writes it there as PNG,
whole or not at all. None of them touches pyplot, so they work without a display and in threads.
"""

from kblocks.plotting.attention import plot_attention
from kblocks.plotting.curves import plot_curves
from kblocks.plotting.gates import plot_gates
from kblocks.plotting.gradients import plot_gradient_norms
from kblocks.plotting.head_lines import plot_head_lines
from kblocks.plotting.head_statistics import plot_head_statistics
from kblocks.plotting.heads import plot_heads
from kblocks.plotting.images import plot_images
from kblocks.plotting.segmentation import class_colors, plot_segmentation
from kblocks.plotting.similarity import plot_similarity
from kblocks.plotting.trees import plot_tree

__all__ = [
    "class_colors",
    "plot_attention",
    "plot_curves",
    "plot_gates",
    "plot_gradient_norms",
    "plot_head_lines",
    "plot_head_statistics",
    "plot_heads",
    "plot_images",
    "plot_segmentation",
    "plot_similarity",
    "plot_tree",
]
