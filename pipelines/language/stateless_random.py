"""The numbers that `tf.random.stateless_uniform` draws, without TensorFlow.

Source: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
2011 (Philox 4x32, ten rounds)
"""

import numpy as np

_WORD = 0xFFFFFFFF
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
# By which TensorFlow mixes a seed, so that seeds next to one another differ by much.
_MIXING_KEY = 0x3EC8F720, 0x02461E29


def uniform(seed: tuple[int, int]) -> np.float32:
    """The first number from 0 to 1 of a seed."""
    halves = [half for each in seed for half in (each & _WORD, each >> 32 & _WORD)]
    mixed = _philox(halves, _MIXING_KEY)
    bits = _philox([0, 0, *mixed[2:]], (mixed[0], mixed[1]))[0]
    # The lower 23 bits are those of a float from 1 to 2.
    return np.uint32(bits & 0x7FFFFF | 127 << 23).view(np.float32) - np.float32(1)


def _philox(counter: list[int], key: tuple[int, int]) -> list[int]:
    for _ in range(_ROUNDS):
        low, high = _MULTIPLIERS[0] * counter[0], _MULTIPLIERS[1] * counter[2]
        counter = [
            high >> 32 ^ counter[1] ^ key[0],
            high & _WORD,
            low >> 32 ^ counter[3] ^ key[1],
            low & _WORD,
        ]
        key = (key[0] + _WEYL[0]) & _WORD, (key[1] + _WEYL[1]) & _WORD
    return counter
