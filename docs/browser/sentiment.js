// A sentiment model that `recurra export --format onnx` wrote, in a browser: from texts
// to labels by onnxruntime-web, as `recurra.pipelines.sentiment.portable` does it.

import { fingerprint64 } from "./fingerprint.js";
import { readNpz } from "./npz.js";

const PADDING = 0;
const UNKNOWN = 1;
const EMPTY_TOKEN = "[EMPTY]";
// The largest prime below 2^63.
const BUCKETS = 2n ** 63n - 25n;

// What is within words, and selectors of a character's look.
const JOINED =
  /[\u00ad\u034f\u061c\u180b-\u180f\u200b\u200d-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\u{e0001}\u{e0020}-\u{e007f}\u{e0100}-\u{e01ef}]/gu;
const WIDE_OR_NARROW = /[\u3000\uff01-\uffee]/g;
const WITHIN_WORDS =
  "a abbr b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span " +
  "strike strong sub sup tt u var wbr";
const BETWEEN_WORDS =
  "address article aside blockquote body br button caption center dd details div dl " +
  "dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html " +
  "iframe img input label legend li link main meta nav ol option p pre script " +
  "section select style summary table tbody td textarea tfoot th thead title tr ul " +
  "video";
const tags = (names) =>
  new RegExp(`</?(?:${names.split(" ").sort().reverse().join("|")})(?:[\\t\\n\\f\\r ][^<>]*)?/?>`, "gi");
const [TAGS_WITHIN, TAGS_BETWEEN] = [tags(WITHIN_WORDS), tags(BETWEEN_WORDS)];
const ENTITY = /&#?[0-9A-Za-z]+;/g;

const WITHOUT_SPACES =
  ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"]
    .map((script) => `\\p{Script=${script}}`)
    .join("");
const LETTER = `[[\\p{L}\\p{M}\\p{N}]--[${WITHOUT_SPACES}’ʼ]]`;
const TOKEN = new RegExp(
  `${LETTER}+(?:'+${LETTER}+)*|'+|[^\\p{Cc}\\p{Zs}\\p{Zl}\\p{Zp}\\p{Cf}]`,
  "gv",
);

/** The text as it is seen on a page; `decode` knows what an entity of HTML stands for. */
export function visibleText(text, decode) {
  const seen = text
    .replace(ENTITY, decode)
    .replace(TAGS_WITHIN, "")
    .replace(TAGS_BETWEEN, " ");
  return seen
    .replace(JOINED, "")
    .replace(WIDE_OR_NARROW, (character) => character.normalize("NFKC"))
    .normalize("NFC");
}

/** The tokens of a visible text. */
export function textTokens(text, lowercase) {
  let read = text.replace(/[’ʼ]/g, "'");
  if (lowercase) read = read.replace(/[Iİı]|i\u0307/g, "i").toLowerCase();
  const tokens = (read.match(TOKEN) ?? []).map((each) => (each[0] === "'" ? "'" : each));
  return tokens.length ? tokens : [EMPTY_TOKEN];
}

/** What an entity stands for, by the browser's own parser. */
function decodedByPage(entity) {
  const area = document.createElement("textarea");
  area.innerHTML = entity;
  return area.value;
}

export class SentimentModel {
  /**
   * @param ort - onnxruntime-web.
   * @param session - Of the model's graph.
   * @param settings - Those of preprocessing.json.
   * @param arrays - Those of preprocessing.npz, where there are any.
   * @param decode - Of entities.
   */
  constructor(ort, session, settings, arrays, decode = decodedByPage) {
    this.ort = ort;
    this.session = session;
    this.settings = settings;
    this.words = new Map(settings.vocabulary.map((word, number) => [word, number]));
    this.decode = decode;
    this.ids = new Map();
    if (settings.widths.length) {
      const { fingerprints, ids } = arrays;
      fingerprints.forEach((each, place) => this.ids.set(each, ids[place]));
    }
  }

  /** The model of a folder that `recurra export --format onnx` has written. */
  static async load(ort, folder) {
    const get = async (name) => {
      const answer = await fetch(`${folder}/${name}`);
      if (!answer.ok) throw new Error(`${folder}/${name}: ${answer.status}`);
      return answer;
    };
    const settings = await (await get("preprocessing.json")).json();
    const arrays = settings.widths.length
      ? await readNpz(await (await get("preprocessing.npz")).arrayBuffer())
      : {};
    const graph = await (await get("model.onnx")).arrayBuffer();
    const session = await ort.InferenceSession.create(graph);
    return new SentimentModel(ort, session, settings, arrays);
  }

  /** Classes and the probability of each, for one text. */
  async classify(text) {
    const given = await this.session.run(this.inputs(text));
    const probabilities = Array.from(given.probabilities.data);
    const { classes, thresholds, several } = this.settings;
    const chosen = several
      ? classes.filter((_, place) => probabilities[place] >= Math.fround(thresholds[place]))
      : [classes[largest(probabilities.map((each, place) => each / thresholds[place]))]];
    return { labels: chosen, classes, probabilities };
  }

  /** What the graph reads of a text. */
  inputs(text) {
    const { lowercase, head, tail, widths, ngram_features, ngrams } = this.settings;
    const tokens = textTokens(visibleText(text, this.decode), lowercase);
    const isKept = (place) => place < head || place >= tokens.length - tail;
    const kept = [...tokens.keys()].filter(isKept);
    const inputs = {
      tokens: this.tensor(kept.map((place) => this.words.get(tokens[place]) ?? UNKNOWN), []),
    };
    const ids = widths.map((width) =>
      tokens.map((_, begin) =>
        begin + width > tokens.length
          ? PADDING
          : (this.ids.get(
              fingerprint64(tokens.slice(begin, begin + width).join(" ")) % BUCKETS,
            ) ?? PADDING),
      ),
    );
    if (widths.length && ngram_features) {
      const features = kept.flatMap((place) => ids.map((each) => each[place]));
      inputs.ngram_features = this.tensor(features, [widths.length]);
    }
    if (widths.length && ngrams) {
      const known = new Set(ids.flat().filter((each) => each !== PADDING));
      inputs.ngrams = this.tensor([...known], []);
    }
    return inputs;
  }

  tensor(values, inner) {
    const rows = values.length / inner.reduce((product, size) => product * size, 1);
    return new this.ort.Tensor("int32", Int32Array.from(values), [1, rows, ...inner]);
  }
}

function largest(values) {
  return values.reduce((best, value, place) => (value > values[best] ? place : best), 0);
}
