"""Two logical CPUs, quiet logs and a fresh seed for every test."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
