"""Each claim of speed, side by side with the peers, in one run."""
