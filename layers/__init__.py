"""Regularised recurrent layers for Keras, on any backend."""

from .lstm import LSTM, LSTMCell
from .regulariser import CellNoise, CellRegulariser
from .rnn import RNN
from .vanilla_rnn import VanillaRNN, VanillaRNNCell
from .variational_dropout import VariationalDropout
from .word_dropout import WordDropout
from .zoneout import Zoneout

__all__ = [
    "LSTM",
    "RNN",
    "CellNoise",
    "CellRegulariser",
    "LSTMCell",
    "VanillaRNN",
    "VanillaRNNCell",
    "VariationalDropout",
    "WordDropout",
    "Zoneout",
]
