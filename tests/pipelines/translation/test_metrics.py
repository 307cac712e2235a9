"""Metrics against sacreBLEU's own functions, and against counts by hand."""

import math

import numpy as np
import pytest
import sacrebleu

from recurra.pipelines.translation.metrics import (
    bleu_by_length,
    bleu_details,
    bootstrap_intervals,
    metrics_signatures,
    sentence_scores,
    tokenizer_of,
    translation_metrics,
)

REFERENCES = [
    "Der Hund läuft schnell über die Wiese.",
    "Zwei Männer sitzen auf einer Bank.",
    "Das Mädchen liest ein altes Buch im Garten.",
    "Eine Frau trägt einen roten Hut.",
]
HYPOTHESES = [
    "Der Hund rennt schnell über die Wiese.",
    "Zwei männer sitzen auf einer Bank.",
    "Ein Mädchen liest ein Buch im Garten.",
    "Eine Frau trägt einen roten Hut.",
]


def noisy(number, share, seed=0):
    """References, and the same with a share of the words lost."""
    generator = np.random.default_rng(seed)
    words = np.array([f"w{index}" for index in range(200)])
    references = [
        " ".join(generator.choice(words, generator.integers(5, 20)))
        for _ in range(number)
    ]
    hypotheses = [
        " ".join(w for w in text.split() if generator.random() > share)
        for text in references
    ]
    return hypotheses, references


def test_scores_are_those_of_sacrebleu():
    scores = translation_metrics(HYPOTHESES, [REFERENCES], "de")
    assert scores == {
        "bleu": sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score,
        "chrf": sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score,
        "bleu_lc_tok": sacrebleu.corpus_bleu(
            HYPOTHESES, [REFERENCES], lowercase=True
        ).score,
        "exact_match": 0.25,
    }
    assert scores["bleu_lc_tok"] > scores["bleu"]


def test_bleu_by_hand():
    scores = translation_metrics(["a b c d e"], [["a b c d f g"]], "en")
    precisions = [4 / 5, 3 / 4, 2 / 3, 1 / 2]
    expected = math.exp(1 - 6 / 5) * math.prod(precisions) ** 0.25
    assert scores["bleu"] == pytest.approx(100 * expected)
    details = bleu_details(["a b c d e"], [["a b c d f g"]], "en")
    assert details["precisions"] == pytest.approx([100 * each for each in precisions])
    assert details["brevity_penalty"] == pytest.approx(math.exp(1 - 6 / 5))
    assert details["length_ratio"] == pytest.approx(5 / 6)


def test_tokens_are_parted_from_punctuation():
    scores = translation_metrics(['He said: "no!"'], [['He said : " no ! "']], "en")
    assert scores["bleu"] == pytest.approx(100)
    assert scores["exact_match"] == 0


def test_an_exact_match_is_with_any_reference_whatever_the_space():
    streams = [["a b", "x"], ["c", "y  z"]]
    assert translation_metrics(["a  b ", "y z"], streams, "en")["exact_match"] == 1


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        ("de", "13a"),
        ("en-GB", "13a"),
        ("zh", "zh"),
        ("zh_Hant", "zh"),
        ("ZH-cn", "zh"),
        ("ja", "char"),
        ("th", "char"),
        ("ko", "13a"),
    ],
)
def test_tokenizer_of_a_language(language, tokenizer):
    assert tokenizer_of(language) == tokenizer
    assert f"tok:{tokenizer}|" in metrics_signatures(1, language)["bleu"]


@pytest.mark.parametrize("language", ["zh", "ja", "th"])
def test_languages_without_spaces_have_ngrams(language):
    texts = {"zh": "他是一位老师。", "ja": "彼は先生です。", "th": "เขาเป็นครู"}
    text = texts[language]
    near = text[:-1]
    scores = translation_metrics([near], [[text]], language)
    assert 50 < scores["bleu"] < 100
    assert translation_metrics([text], [[text]], language)["bleu"] > 99.9


def test_signatures_say_case_and_references():
    signatures = metrics_signatures(2, "de")
    assert signatures["bleu"].startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp")
    assert "case:lc" in signatures["bleu_lc_tok"]
    assert "nc:6|nw:0" in signatures["chrf"]


def test_nothing_said_is_no_error():
    scores = translation_metrics(["", ""], [["a b", "c"]], "de")
    assert scores == dict.fromkeys(scores, 0.0)


def test_intervals_hold_the_score_and_shrink_with_more_sentences():
    widths = {}
    for number in (50, 800):
        hypotheses, references = noisy(number, 0.2)
        scores = translation_metrics(hypotheses, [references], "en")
        intervals = bootstrap_intervals(hypotheses, [references], "en", seed=0)
        assert intervals.keys() == scores.keys()
        for name, (lower, upper) in intervals.items():
            assert lower <= scores[name] <= upper
            widths[name, number] = upper - lower
    for name in scores:
        # The root of 16 is 4.
        assert 2.5 < widths[name, 50] / widths[name, 800] < 6


def test_intervals_are_about_those_of_sacrebleus_own_bootstrap():
    hypotheses, references = noisy(200, 0.15)
    lower, upper = bootstrap_intervals(hypotheses, [references], "en", seed=1)["bleu"]
    own = sacrebleu.BLEU().corpus_score(hypotheses, [references], n_bootstrap=1000)
    assert (lower + upper) / 2 == pytest.approx(own._mean, abs=0.3)
    assert (upper - lower) / 2 == pytest.approx(own._ci, rel=0.15)


def test_intervals_of_the_same_seed_are_the_same():
    hypotheses, references = noisy(60, 0.2)
    first, second, other = (
        bootstrap_intervals(hypotheses, [references], "en", seed=seed)
        for seed in (3, 3, 4)
    )
    assert first == second != other


def test_exact_match_interval_is_binomial():
    hypotheses = ["a"] * 100 + ["b"] * 300
    lower, upper = bootstrap_intervals(hypotheses, [["a"] * 400], "en", seed=0)[
        "exact_match"
    ]
    width = 1.96 * math.sqrt(0.25 * 0.75 / 400)
    assert lower == pytest.approx(0.25 - width, abs=0.01)
    assert upper == pytest.approx(0.25 + width, abs=0.01)


def test_sentence_scores_rank_the_worst_last():
    scores = sentence_scores(["a b c d", "a b c x", "z"], [["a b c d"] * 3], "en")
    assert list(scores) == ["bleu", "chrf"]
    for name in scores:
        values = scores[name].tolist()
        assert values[0] == pytest.approx(100)
        assert values == sorted(values, reverse=True)
        assert values[2] == 0


def test_a_short_sentence_that_is_right_is_right():
    assert sentence_scores(["Ja."], [["Ja."]], "de")["bleu"][0] == pytest.approx(100)


def test_bleu_by_length_is_bleu_of_each_part():
    hypotheses, references = noisy(300, 0.1)
    lengths = np.array([len(text.split()) for text in references])
    table = bleu_by_length(lengths, {"model": hypotheses}, [references], "en")
    assert table["pairs"].sum() == 300
    assert (table["shortest"].to_numpy()[1:] > table["longest"].to_numpy()[:-1]).all()
    assert len(table) == 6
    for part in table.itertuples():
        rows = np.flatnonzero((lengths >= part.shortest) & (lengths <= part.longest))
        assert len(rows) == part.pairs
        expected = sacrebleu.corpus_bleu(
            [hypotheses[row] for row in rows], [[references[row] for row in rows]]
        )
        assert part.model == pytest.approx(expected.score)


@pytest.mark.parametrize(("number", "parts"), [(1, 1), (40, 1), (60, 2)])
def test_few_pairs_make_few_parts(number, parts):
    hypotheses, references = noisy(number, 0.1)
    lengths = np.array([len(text.split()) for text in references])
    table = bleu_by_length(lengths, {"model": hypotheses}, [references], "en")
    assert len(table) == parts
    assert table["pairs"].sum() == number
