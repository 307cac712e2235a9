"""Ranges of characters by script, for regular expressions of words."""

#: Of scripts written without spaces.
WITHOUT_SPACES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
TIBETAN = "\u0f00-\u0fff"
HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
#: Vowel signs and accents, which Python's \w leaves out: Latin, Hebrew, Arabic, Indic.
MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0963\u0970-\u0dff"
)
