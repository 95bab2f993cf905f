"""Recurrent networks: cells with their gates in the open, and the layers over sequences."""

from kblocks.layers.recurrent.gru import GRU
from kblocks.layers.recurrent.gru_cell import GRUCell
from kblocks.layers.recurrent.lstm import LSTM
from kblocks.layers.recurrent.lstm_cell import LSTMCell
from kblocks.layers.recurrent.simple_rnn import SimpleRNN
from kblocks.layers.recurrent.simple_rnn_cell import SimpleRNNCell

__all__ = ["GRU", "LSTM", "GRUCell", "LSTMCell", "SimpleRNN", "SimpleRNNCell"]
