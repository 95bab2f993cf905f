"""The four token ids that every vocabulary, model and decoder of the package agrees on."""

PADDING = 0
UNKNOWN = 1
START = 2
END = 3
