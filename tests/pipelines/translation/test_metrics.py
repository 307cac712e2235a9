"""Metrics against sacreBLEU's own functions, and against counts by hand."""

import math

import numpy as np
import pytest
import sacrebleu

from recurra.pipelines.sequence_to_sequence.metrics import in_streams
from recurra.pipelines.translation.metrics import (
    TranslationMeasures,
    bleu_coverage,
    bleu_details,
    metrics_signatures,
    tokenizer_of,
)

ENGLISH, GERMAN = TranslationMeasures("en"), TranslationMeasures("de")
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


def score(hypotheses, references, language):
    measures = TranslationMeasures(language)
    return measures.scores(measures.count(hypotheses, references))


def noisy(number, fraction, seed=0):
    """References, and the same with a fraction of the words lost."""
    generator = np.random.default_rng(seed)
    words = np.array([f"w{index}" for index in range(200)])
    references = [
        " ".join(generator.choice(words, generator.integers(5, 20)))
        for _ in range(number)
    ]
    hypotheses = [
        " ".join(w for w in text.split() if generator.random() > fraction)
        for text in references
    ]
    return hypotheses, references


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        (HYPOTHESES, [REFERENCES]),
        (HYPOTHESES, [REFERENCES, ["Der Hund.", "x", "", "Eine Frau trägt Hut."]]),
        # Too short for 4-grams, without a match, and empty.
        (["Ja.", "ja Ja"], [["Ja.", "nein"]]),
        (["a b c d"], [["x y z a c"]]),
        (["x y"], [["a b"]]),
        (["", ""], [["a b", "c"]]),
        (["a b"], [[""]]),
        noisy(40, 0.3)[:1] + ([noisy(40, 0.3)[1]],),
    ],
)
def test_scores_are_those_of_sacrebleu(hypotheses, references):
    bleu, chrf, lower = (
        sacrebleu.BLEU(force=True), sacrebleu.CHRF(), sacrebleu.BLEU(lowercase=True)
    )  # fmt: skip
    scores = score(hypotheses, references, "de")
    expected = {
        "bleu": bleu.corpus_score(hypotheses, references).score,
        "chrf": chrf.corpus_score(hypotheses, references).score,
        "bleu_lc_tok": lower.corpus_score(hypotheses, references).score,
    }
    assert 0 <= scores["exact_match"] <= 1
    found = {name: scores[name] for name in expected}
    assert found == pytest.approx(expected, rel=1e-9)
    for name in expected:
        assert GERMAN.score(name, hypotheses, references) == expected[name]
    ter = sacrebleu.TER().corpus_score(hypotheses, references).score
    assert GERMAN.score("ter", hypotheses, references) == ter
    of_sentences = GERMAN.of_sentences(GERMAN.count(hypotheses, references))
    effective = sacrebleu.BLEU(effective_order=True)
    for text, *known, found in zip(
        hypotheses, *references, of_sentences.to_dict("records"), strict=True
    ):
        expected = {
            "bleu": effective.sentence_score(text, known).score,
            "chrf": chrf.sentence_score(text, known).score,
        }
        assert found == pytest.approx(expected, rel=1e-9)


def test_case_and_exact_matches_count():
    scores = score(HYPOTHESES, [REFERENCES], "de")
    assert scores["bleu_lc_tok"] > scores["bleu"]
    assert scores["exact_match"] == 0.25


def test_bleu_by_hand():
    counts = ENGLISH.count(["a b c d e"], [["a b c d f g"]])
    scores = ENGLISH.scores(counts)
    precisions = [4 / 5, 3 / 4, 2 / 3, 1 / 2]
    expected = math.exp(1 - 6 / 5) * math.prod(precisions) ** 0.25
    assert scores["bleu"] == pytest.approx(100 * expected)
    details = bleu_details(counts)
    assert details["precisions"] == pytest.approx([100 * value for value in precisions])
    assert details["brevity_penalty"] == pytest.approx(math.exp(1 - 6 / 5))
    assert details["length_ratio"] == pytest.approx(5 / 6)


def test_error_rates_by_hand():
    said, wanted = ["K AE T", "a b"], ["K AA T S", "a b"]
    scores = score(said, [wanted], "phonemes")
    # One phoneme is another and one is lacking, of six; the "A" and " S" of eleven.
    assert scores["wer"] == pytest.approx(2 / 6)
    assert scores["cer"] == pytest.approx(3 / 11)
    assert TranslationMeasures("phonemes").score("wer", said, [wanted]) == scores["wer"]
    # Words of languages without spaces are their tokens.
    assert score(["天地"], [["天人"]], "zh")["wer"] == 0.5


def test_of_several_references_the_nearest_counts():
    targets = [["AH", "EY"], ["B IY"]]
    scores = score(["EY", "B IY"], in_streams(targets), "phonemes")
    assert (scores["exact_match"], scores["wer"], scores["cer"]) == (1, 0, 0)
    assert ENGLISH.nearest("EY Z", ["AH", "EY"]) == "EY"


def test_bleu_says_nothing_of_few_words():
    assert bleu_coverage(["one", "a b c", "a b c d", "a, b."], "en") == 0.5


def test_tokens_are_parted_from_punctuation():
    scores = score(['He said: "no!"'], [['He said : " no ! "']], "en")
    assert scores["bleu"] == pytest.approx(100)
    assert scores["exact_match"] == 0


def test_an_exact_match_is_with_any_reference_whatever_the_space():
    streams = [["a b", "x"], ["c", "y  z"]]
    assert score(["a  b ", "y z"], streams, "en")["exact_match"] == 1


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
    assert f"tok:{tokenizer}|" in metrics_signatures([["a"]], language)["bleu"]


@pytest.mark.parametrize("language", ["zh", "ja", "th"])
def test_languages_without_spaces_have_ngrams(language):
    texts = {"zh": "他是一位老师。", "ja": "彼は先生です。", "th": "เขาเป็นครู"}
    text = texts[language]
    near = text[:-1]
    scores = score([near], [[text]], language)
    assert 50 < scores["bleu"] < 100
    assert score([text], [[text]], language)["bleu"] > 99.9


def test_signatures_say_case_and_references():
    signatures = metrics_signatures([["a"], ["b"]], "de")
    assert signatures["bleu"].startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp")
    assert "case:lc" in signatures["bleu_lc_tok"]
    assert "nc:6|nw:0" in signatures["chrf"]


def intervals_of(hypotheses, references, seed):
    counts = ENGLISH.count(hypotheses, [references])
    return ENGLISH.intervals({"model": counts}, seed=seed)["model"]


def test_intervals_hold_the_score_and_shrink_with_more_sentences():
    widths = {}
    for number in (40, 640):
        hypotheses, references = noisy(number, 0.2)
        scores = score(hypotheses, [references], "en")
        intervals = intervals_of(hypotheses, references, 0)
        assert intervals.keys() == scores.keys()
        for name, (lower, upper) in intervals.items():
            assert lower <= scores[name] <= upper
            widths[name, number] = upper - lower
    for name in scores:
        # The root of 16 is 4.
        assert 2.5 < widths[name, 40] / widths[name, 640] < 6


def test_intervals_are_about_those_of_sacrebleus_own_bootstrap():
    hypotheses, references = noisy(200, 0.15)
    lower, upper = intervals_of(hypotheses, references, 1)["bleu"]
    bleu = sacrebleu.BLEU().corpus_score(hypotheses, [references], n_bootstrap=1000)
    assert (lower + upper) / 2 == pytest.approx(bleu._mean, abs=0.3)
    assert (upper - lower) / 2 == pytest.approx(bleu._ci, rel=0.15)


def test_intervals_of_the_same_seed_are_the_same():
    texts = noisy(60, 0.2)
    assert intervals_of(*texts, 3) == intervals_of(*texts, 3)
    assert intervals_of(*texts, 3) != intervals_of(*texts, 4)


def test_all_systems_have_the_same_resamples():
    hypotheses, references = noisy(60, 0.2)
    counts = ENGLISH.count(hypotheses, [references])
    other = ENGLISH.count(references, [references])
    together = ENGLISH.intervals({"a": other, "b": counts, "c": counts}, seed=3)
    alone = intervals_of(hypotheses, references, 3)
    for name in "bc":
        for metric, interval in together[name].items():
            assert interval == pytest.approx(alone[metric])
    assert together["a"]["exact_match"] == (1, 1)


def test_a_resample_scores_as_its_sentences_do():
    hypotheses, references = noisy(30, 0.2)
    counts = ENGLISH.count(hypotheses, [references])
    drawn = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), size=4)
    found = ENGLISH.scores_from(drawn @ counts)
    for resample, times in enumerate(drawn):
        rows = np.repeat(np.arange(30), times)
        said, known = ([texts[n] for n in rows] for texts in (hypotheses, references))
        expected = score(said, [known], "en")
        values = {name: scores[resample] for name, scores in found.items()}
        assert values == pytest.approx(expected)


def test_exact_match_interval_is_binomial():
    hypotheses = ["a"] * 100 + ["b"] * 300
    lower, upper = intervals_of(hypotheses, ["a"] * 400, 0)["exact_match"]
    width = 1.96 * math.sqrt(0.25 * 0.75 / 400)
    assert lower == pytest.approx(0.25 - width, abs=0.01)
    assert upper == pytest.approx(0.25 + width, abs=0.01)


def test_sentence_scores_rank_the_worst_last():
    counts = ENGLISH.count(["a b c d", "a b c x", "z"], [["a b c d"] * 3])
    scores = ENGLISH.of_sentences(counts)
    assert list(scores) == ["bleu", "chrf"]
    for name in scores:
        values = scores[name].tolist()
        assert values[0] == pytest.approx(100)
        assert values == sorted(values, reverse=True)
        assert values[2] == 0


def test_bleu_by_length_is_bleu_of_each_part():
    hypotheses, references = noisy(300, 0.1)
    lengths = np.array([len(text.split()) for text in references])
    counts = ENGLISH.count(hypotheses, [references])
    table = ENGLISH.by_length(lengths, {"model": counts})
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
    counts = ENGLISH.count(hypotheses, [references])
    table = ENGLISH.by_length(lengths, {"model": counts})
    assert len(table) == parts
    assert table["pairs"].sum() == number


def test_ngrams_are_counted_from_too_often_to_too_seldom():
    counts = ENGLISH.count_ngrams(["a a b", "a."], ["a b c", "a."])
    assert [(count.ngram, count.surplus) for count in counts if count.surplus] == [
        ("a", 1),
        ("a a", 1),
        ("b c", -1),
        ("c", -1),
    ]
    assert next(count for count in counts if count.ngram == "a .").references == 1
