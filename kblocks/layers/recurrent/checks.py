"""What the recurrent cells ask of their arguments."""


def check_cell_arguments(units: int, dropout: float, recurrent_dropout: float) -> None:
    """Raise `ValueError` where `units` or a dropout rate is out of range."""
    if isinstance(units, bool) or not isinstance(units, int) or units <= 0:
        raise ValueError(f"`units` must be a positive integer, got {units!r}.")
    rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout}
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise ValueError(f"`{name}` must be at least 0 and below 1, got {rate!r}.")
