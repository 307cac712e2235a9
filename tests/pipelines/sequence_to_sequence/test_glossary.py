"""Terms that outputs must have: how they are found, read and said."""

import re

import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines.core.configuration import make_configuration  # noqa: E402
from recurra.pipelines.core.errors import UserError  # noqa: E402
from recurra.pipelines.samples.english_german.pairs import sample_pairs  # noqa: E402
from recurra.pipelines.sequence_to_sequence.config import DecodingConfig  # noqa: E402
from recurra.pipelines.sequence_to_sequence.generator import Generator  # noqa: E402
from recurra.pipelines.sequence_to_sequence.glossary import Glossary  # noqa: E402

ENGLISH, _ = sample_pairs(300).splits["train"]
TERMS = {
    "red bag": "Rucksack",
    "bag": "Beutel",
    "C++ (new)": "C++ 26",
    "école": "Schule",
    "王": "König",
    "old": "uralt und ehrwürdig",
}


def required(glossary, subwords, texts):
    """The terms that outputs of texts must have, as texts."""
    rows = glossary.required(subwords.source.encode(texts)).pieces
    said = [subwords.target.decode(row).numpy() for row in rows]
    return [[text.decode() for text in row if text] for row in said]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The red bag.", {"Rucksack"}),
        ("A Red\u00a0BAG, a bag", {"Rucksack", "Beutel"}),
        ("bags, handbag, bag2", set()),
        ("bag bag", {"Beutel"}),
        ("(bag)", {"Beutel"}),
        ("In C++ (new), c++ (NEW)", {"C++ 26"}),
        ("ÉCOLE e\u0301cole", {"Schule"}),
        ("国王は", {"König"}),
        ("red, bag", {"Beutel"}),
        ("", set()),
    ],
)
def test_terms_of_a_text(subwords, text, expected):
    glossary = Glossary(TERMS, subwords)
    (found,) = required(glossary, subwords, [text])
    assert set(found) == expected
    assert len(found) == len(expected)


def test_terms_belong_to_their_texts(subwords):
    glossary = Glossary(TERMS, subwords)
    texts = ["old bag", "nothing", "the old red bag", ""]
    assert [set(row) for row in required(glossary, subwords, texts)] == [
        {"uralt und ehrwürdig", "Beutel"},
        set(),
        {"uralt und ehrwürdig", "Rucksack"},
        set(),
    ]
    assert required(glossary, subwords, []) == []


@pytest.mark.parametrize(
    "term, begins",
    [("rote Tasche", True), ("国王", False), ("タロウ king", False)],
)
def test_a_space_stands_before_a_term_where_its_script_has_spaces(
    subwords, term, begins
):
    glossary = Glossary({"bag": term}, subwords)
    ids = glossary.required(subwords.source.encode(["bag"])).pieces[0, 0]
    text = b"".join(subwords.target.pieces(ids).numpy()).decode()
    assert text.startswith("▁") == begins
    assert subwords.target.decode(ids[tf.newaxis]).numpy()[0].decode() == term


def test_thousands_of_terms(subwords):
    terms = {f"part {number} of it": f"Teil {number}" for number in range(3_000)}
    glossary = Glossary(terms | {"part": "Stück"}, subwords)
    text = "See part 7 of it, Part 2999 of it, part 70 and part 3000 of it."
    (found,) = required(glossary, subwords, [text])
    assert set(found) == {"Teil 7", "Teil 2999", "Stück"}


def test_outputs_have_their_terms(models, subwords):
    texts = [*ENGLISH[:6], "", "The old king.\n\nNobody has a red bag."]

    def generator_of(**options):
        # The search for terms is wide, and that for n-best lists too.
        decoding = DecodingConfig(beam_size=1, decode_batch_size=4, **options)
        return Generator(models[:1], subwords, decoding, 40, "de")

    plain, generator = generator_of(), generator_of(glossary=TERMS)
    found, scores = generator.generate(texts)
    before, scores_before = plain.generate(texts)
    wanted = required(generator._glossary, subwords, texts)
    assert set(wanted[-1]) == {"uralt und ehrwürdig", "Rucksack"}
    for row, (text, terms) in enumerate(zip(texts, wanted, strict=True)):
        for term in terms:
            assert re.search(rf"(?<!\w){term}(?!\w)", found[row]), text
        if not terms:
            assert found[row] == before[row]
            assert scores[row] == pytest.approx(scores_before[row], rel=1e-3)
    lines = found[-1].split("\n")
    assert "uralt und ehrwürdig" in lines[0]
    assert "Rucksack" in lines[2]
    for outputs in generator.nbest(texts[-1:], 3):
        assert all("Rucksack" in output for output in outputs if output)
    (alignment,) = generator.align(["Nobody has a red bag."])
    assert "Rucksack" in "".join(alignment.target_pieces).replace("▁", " ")
    assert alignment.weights.sum(1) == pytest.approx(1.0, abs=1e-4)


def test_what_cannot_be_kept_is_said(models, subwords):
    for terms, problem in (
        ({"Bag": "Beutel", "bag": "Tasche"}, "stands there twice"),
        ({"bag": " "}, "lacks"),
    ):
        with pytest.raises(UserError, match=problem):
            Glossary(terms, subwords)
    decoding = DecodingConfig(glossary=TERMS)
    with pytest.raises(UserError, match="export a SavedModel"):
        Generator(models[:1], subwords, decoding, 40, "de").portable("translation")


@pytest.mark.parametrize(
    "name, content",
    [
        ("terms.tsv", '\ufeffred bag\tRucksack\n\nbag \t "Beutel"\n'),
        ("terms.csv", 'red bag,Rucksack\nbag,"""Beutel"""\n'),
    ],
)
def test_terms_of_a_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    config = make_configuration(DecodingConfig, [("--set", {"glossary": str(path)})])
    assert config.glossary == {"red bag": "Rucksack", "bag": '"Beutel"'}
    assert DecodingConfig(glossary=None).glossary == {}


@pytest.mark.parametrize(
    "content, problem",
    [
        ("red bag\tRucksack\nbag", "line 2: expected a term"),
        ("a\tb\tc", "line 1: expected a term"),
        ("bag\tBeutel\nbag\tTasche", "line 2: 'bag' stands there before"),
    ],
)
def test_a_line_that_is_no_term_is_named(tmp_path, content, problem):
    path = tmp_path / "terms.tsv"
    path.write_text(content)
    with pytest.raises(UserError, match=f"glossary: .*{problem}"):
        make_configuration(DecodingConfig, [("--set", {"glossary": str(path)})])
    with pytest.raises(UserError, match="cannot be read"):
        make_configuration(DecodingConfig, [("--set", {"glossary": "missing.tsv"})])
