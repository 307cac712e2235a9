"""Regularised recurrent layers for Keras, on any backend."""

from .attention import AttentionCell, AttentionMemory, AttentionRNN, MemoryAttention
from .backpropagation import ManualSteps
from .deep_rnn import DeepRNN
from .elementwise_cell import ElementwiseCell, LinearCell
from .feed_forward_dropout import FeedForwardDropout
from .gates import read_by_gates
from .gradient_flow import GradientFlow, gradient_flow
from .gru import GRU, GRUCell
from .ind_rnn import IndRNN, IndRNNCell
from .linear_recurrence import linear_recurrence
from .lstm import LSTM, LSTMCell
from .min_rnn import MinGRU, MinGRUCell, MinLSTM, MinLSTMCell
from .mogrifier import Mogrifier
from .monte_carlo import MonteCarlo, monte_carlo
from .regulariser import CellNoise, CellRegulariser, StepNoise
from .rg_lru import RGLRU, RGLRUCell
from .rnn import RNN
from .sru import SRU, SRUCell
from .temporal_skip import TemporalSkip
from .vanilla_rnn import SimpleRNN, VanillaRNN, VanillaRNNCell
from .variational_dropout import VariationalDropout
from .weight_drop import WeightDrop
from .word_dropout import WordDropout
from .xlstm import MLSTM, SLSTM, MLSTMCell, SLSTMCell
from .zoneout import Zoneout

__all__ = [
    "GRU",
    "LSTM",
    "MLSTM",
    "RGLRU",
    "RNN",
    "SLSTM",
    "SRU",
    "AttentionCell",
    "AttentionMemory",
    "AttentionRNN",
    "CellNoise",
    "CellRegulariser",
    "DeepRNN",
    "ElementwiseCell",
    "FeedForwardDropout",
    "GRUCell",
    "GradientFlow",
    "IndRNN",
    "IndRNNCell",
    "LSTMCell",
    "LinearCell",
    "MLSTMCell",
    "ManualSteps",
    "MemoryAttention",
    "MinGRU",
    "MinGRUCell",
    "MinLSTM",
    "MinLSTMCell",
    "Mogrifier",
    "MonteCarlo",
    "RGLRUCell",
    "SLSTMCell",
    "SRUCell",
    "SimpleRNN",
    "StepNoise",
    "TemporalSkip",
    "VanillaRNN",
    "VanillaRNNCell",
    "VariationalDropout",
    "WeightDrop",
    "WordDropout",
    "Zoneout",
    "gradient_flow",
    "linear_recurrence",
    "monte_carlo",
    "read_by_gates",
]
