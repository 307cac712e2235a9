"""Regularised recurrent layers for Keras, on any backend."""

from .feed_forward_dropout import FeedForwardDropout
from .gru import GRU, GRUCell
from .lstm import LSTM, LSTMCell
from .regulariser import CellNoise, CellRegulariser
from .rnn import RNN
from .temporal_skip import TemporalSkip
from .vanilla_rnn import VanillaRNN, VanillaRNNCell
from .variational_dropout import VariationalDropout
from .weight_drop import WeightDrop
from .word_dropout import WordDropout
from .zoneout import Zoneout

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CellNoise",
    "CellRegulariser",
    "FeedForwardDropout",
    "GRUCell",
    "LSTMCell",
    "TemporalSkip",
    "VanillaRNN",
    "VanillaRNNCell",
    "VariationalDropout",
    "WeightDrop",
    "WordDropout",
    "Zoneout",
]
