"""Regularised recurrent layers for Keras, on any backend."""

from .attention import AttentionCell, AttentionMemory, AttentionRNN, MemoryAttention
from .backpropagation import ManualSteps
from .deep_rnn import DeepRNN
from .feed_forward_dropout import FeedForwardDropout
from .gru import GRU, GRUCell
from .lstm import LSTM, LSTMCell
from .monte_carlo import MonteCarlo, monte_carlo
from .regulariser import CellNoise, CellRegulariser, StepNoise
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
    "AttentionCell",
    "AttentionMemory",
    "AttentionRNN",
    "CellNoise",
    "CellRegulariser",
    "DeepRNN",
    "FeedForwardDropout",
    "GRUCell",
    "LSTMCell",
    "ManualSteps",
    "MemoryAttention",
    "MonteCarlo",
    "StepNoise",
    "TemporalSkip",
    "VanillaRNN",
    "VanillaRNNCell",
    "VariationalDropout",
    "WeightDrop",
    "WordDropout",
    "Zoneout",
    "monte_carlo",
]
