"""The graph makes of any text what Python does: NFC, usual widths, nothing unseen."""

import random
import sys

import pytest

tf = pytest.importorskip("tensorflow")

from recurra.pipelines.data.texts import visible_text as in_python  # noqa: E402
from recurra.pipelines.sentiment.visible_text import visible_text  # noqa: E402

CHARACTERS = [
    chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000
]
#: Of which texts are made that say more than chance would.
COMBINING = (
    "aeiouAEIOUsd\u00e9\u1e9b\u0323\u0307\u0308\u0301\u0327\u0345\u0915\u09c7\u09be\u09d7"
    "\u0dd9\u0dca\u0dcf\u1100\u1161\u11a8\uac00\uac01\u3046\u3099\uff76\uff9e\u212b\u2126"
    "\u0958\u1b06\u1b35\u200d\u00ad\ufb1d\U0001d15e\U0002f800<b>&#amp;39"
)


@pytest.fixture(scope="module")
def graph():
    return tf.function(visible_text, input_signature=[tf.TensorSpec([None], tf.string)])


@pytest.mark.parametrize("form", ["{}", "a{}\u0301{}\u0323"])
def test_every_code_point(graph, form):
    texts = [form.format(each, each) for each in CHARACTERS]
    expected = [in_python.visible_text(text).encode() for text in texts]
    assert graph(tf.constant(texts)).numpy().tolist() == expected


def test_any_order_of_what_composes(graph):
    generator = random.Random(0)
    texts = [
        "".join(generator.choices(COMBINING, k=generator.randrange(12)))
        for _ in range(20_000)
    ]
    expected = [in_python.visible_text(text).encode() for text in texts]
    assert graph(tf.constant(texts)).numpy().tolist() == expected
    assert graph(tf.constant([], tf.string)).numpy().tolist() == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("&lt;3 &amp;lt; &quot;x&quot; &#8217;&#X2019;&apos;", '<3 &lt; "x" ’’\''),
        ("&nosuch; &#99999; & ; &;", "&nosuch; &#99999; & ; &;"),
        ("un<b>bear</b>able<BR/>x<td class='a'>y</td>", "unbearable x y "),
        ("a <bx> < b > <3", "a <bx> < b > <3"),
        ("x\u00ady\ufe0f\u200c", "xy\u200c"),
        ("\uff27\uff2f \uffe6 \u3000", "GO \u20a9  "),
    ],
)
def test_what_is_seen(graph, text, seen):
    assert in_python.visible_text(text) == seen
    assert graph(tf.constant([text])).numpy()[0].decode() == seen
