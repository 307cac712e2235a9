"""Where texts are parted; without TensorFlow.

The patterns are read alike by RE2, in the graph, and by the package `regex` with its
flag ASCII.
"""

#: Pieces of a text that is not split, where training has no longer one.
LONGEST_WHOLE = 1_000

LINE_BREAK = "\r\n?|[\u0085\u2028\u2029]"
#: Where a sentence ends and another one begins.
SENTENCE_ENDS = (
    (
        r"([.!?…؟۔।॥።։]['\")\]”’»“]*) (['\"(\[“‘„«¿¡]*[^\p{Ll}\p{P}\p{Z}])",
        "\\1\n\\2",
    ),
    (r"([。！？｡][”’」』）]*)", "\\1\n"),
)
#: What ends in a full stop and no sentence: ordinals, titles and initials.
NO_SENTENCE_END = r"\b((?:(?:\p{Lu}\.)*\p{Lu}\p{Ll}?|Mrs|Prof|\d{1,2})\.)\n"
#: Of pieces.
BEGINS_WORD = "▁.*"
#: A byte of a character that is no piece, but not its first one.
WITHIN_CHARACTER = "<0x[89AB].>"
