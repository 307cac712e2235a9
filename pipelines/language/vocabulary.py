"""What every vocabulary of units has, and how words are cut; without TensorFlow.

The patterns are read alike by RE2, in the graph, and by the package `regex`.
"""

BOUNDARY, UNKNOWN = 0, 1

UNKNOWN_TEXT = "<unk>"
#: Before a word that touches what stands before it.
JOINER = "\uffed"
#: Stands for the end of a line while words are cut.
LINE_END = "\uffec"

#: Of a word, as they stand within square brackets.
LETTERS = "\\p{L}\\p{M}\\p{N}_'\u2019-"
# What RE2 calls a space; of `regex` there are more.
_SPACE = r"\t\n\f\r "
_SIGN = rf"[^{_SPACE}{JOINER}{LETTERS}]"
_TOUCHING = rf"[^{_SPACE}{JOINER}]"
#: Where a sign stands apart from its neighbours. What has just been looked at is not
#: looked at again, so each is replaced twice.
APART = (rf"({_TOUCHING})({_SIGN})", rf"({_SIGN})({_TOUCHING})")
#: What becomes of the special unit then.
TORN_UNKNOWN = f"< {JOINER}unk {JOINER}>"
