"""Search for outputs in the graph: greedy, beam, and sampling.

Whatever a `Scorer` can score step by step is searched, so all here is independent of
the model. A sentence that is finished is taken out of the batch at once: what the next
step computes has a row for each sentence that is not, and the loop ends with the last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from .subwords import BOS, EOS, PADDING

_NEVER = -1e9
# Below which float32 has fewer digits.
_LEAST_PROBABILITY = 1e-37
# Scores that stand together when the best of many are looked for.
_BLOCK = 16

Nest = Any


class Scorer(Protocol):
    """Scores the next piece of outputs.

    `memory` and `states` are nested lists or tuples of tensors. Those of the memory
    have a row for each sentence, those of the states as many rows for each sentence as
    it has hypotheses.
    """

    def begin(self, source: tf.Tensor) -> tuple[Nest, Nest]:
        """Memory and first states, a row for each sentence of int32 `[N, S]`."""
        ...

    def step(
        self, memory: Nest, states: Nest, ids: tf.Tensor
    ) -> tuple[tf.Tensor, Nest]:
        """Scores `[rows, V]` of the piece after `ids` `[rows]`, and the new states.

        The scores are log-probabilities, but for a number that may be added to all of
        a row.
        """
        ...

    def attention(self, memory: Nest, states: Nest) -> tf.Tensor:
        """Weights `[rows, S]` that a step with these new states gave the source."""
        ...


@dataclasses.dataclass(frozen=True)
class Penalties:
    """How hypotheses that are finished are ranked (Wu et al. 2016, equation 14).

        score = log p / lp + cp    lp = ((5 + pieces) / 6) ** length
        cp = coverage * sum_s log(min(sum_t a_ts, 1))

    where pieces count the end, and s runs over the source with its end.
    """

    length: float = 0.0
    coverage: float = 0.0

    def normaliser(self, pieces: tf.Tensor) -> tf.Tensor:
        """lp for a number of pieces."""
        return ((5.0 + tf.cast(pieces, tf.float32)) / 6.0) ** self.length

    def of_coverage(self, attended: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        """cp from what positions `[..., S]` got in all, and which of them are real."""
        covered = tf.clip_by_value(attended, 1e-9, 1.0)
        return self.coverage * tf.reduce_sum(
            tf.where(real, tf.math.log(covered), 0.0), -1
        )


class Hypotheses(NamedTuple):
    """What a search found, the best first.

    Attributes:
        ids: int32 `[N, K, T]`, each ending in `EOS` and then `PADDING`.
        scores: What they are ranked by, float32 `[N, K]`; far below 0 where a sentence
            has fewer hypotheses.
        log_probabilities: float32 `[N, K]`.
    """

    ids: tf.Tensor
    scores: tf.Tensor
    log_probabilities: tf.Tensor


class Terms(NamedTuple):
    """What outputs must have.

    Attributes:
        pieces: Of the terms of each sentence, int32 `[N, C, L]`, each with `PADDING`
            behind; of that alone where a sentence has fewer.
        never_next: Pieces that cannot follow a term, such as those that go on with its
            last word, bool `[V]`; but for pieces of other terms.
    """

    pieces: tf.Tensor
    never_next: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched for, and how.

    Attributes:
        beams: Hypotheses that are kept for each sentence.
        wanted: Hypotheses that are asked for: the search for a sentence ends with so
            many that none to come can outrank, or with `beams` finished ones.
        penalties: Rank them.
        no_repeat_ngram: n-grams of pieces that may stand once; 0 for any.
    """

    beams: int = 1
    wanted: int = 1
    penalties: Penalties = Penalties()
    no_repeat_ngram: int = 0


def beam_search(
    scorer: Scorer,
    source: tf.Tensor,
    limits: tf.Tensor,
    search: Search,
    terms: Terms | None = None,
) -> Hypotheses:
    """The best hypotheses of a beam search, `K` of them as there are beams.

    Of all next pieces of a sentence's hypotheses the likeliest go on; those that end
    are finished where they are among the first K. At its limit every hypothesis ends.

    With terms that an output must have, a hypothesis can always say the next piece of
    one, and ends when it has them all. Hypotheses with equally many pieces of terms
    compete with each other, and the best of each such bank come first (Post and Vilar
    2018; Hu et al. 2019). What would leave less room than terms need is not said.

    Args:
        scorer: Of the next piece.
        source: int32 `[N, S]`, each row ending in `EOS` and then `PADDING`.
        limits: Pieces of each output at most, without the end, int32 `[N]`; not less
            than the pieces of its terms.
        search: Beams and ranking.
        terms: That outputs must have.
    """

    def body(loop: _Loop) -> _Loop:
        scores, allowed, states = _next_scores(scorer, loop, search)
        # Each hypothesis can bring K that go on, and the one that ends here.
        values, ids = _best(allowed, min(search.beams + 1, scores.shape[-1]))
        normaliser = _log_of_sum(scores, ids[:, :1])
        end = tf.equal(ids, EOS)
        at_limit = tf.repeat(loop.step >= loop.limits, search.beams)[:, tf.newaxis]
        first = tf.equal(tf.range(ids.shape[-1]), 0)
        values = tf.where(
            at_limit, tf.where(first, scores[:, EOS, tf.newaxis], _NEVER), values
        )
        end |= at_limit
        ids = tf.where(end, EOS, ids)
        if terms is not None:
            values, ids, progress = _with_terms(
                loop, scores, values, ids, terms.never_next
            )
        totals = tf.reshape(loop.totals, [-1, 1]) + (values - normaliser)
        of_each = tf.shape(ids)[-1]
        width = search.beams * of_each
        totals = order = tf.reshape(totals, [-1, width])
        if terms is not None:
            progress = tf.reshape(progress, [-1, width, tf.shape(progress)[3]])
            sizes = _sizes(loop.terms)[:, tf.newaxis]
            said = tf.reduce_sum(tf.minimum(progress, sizes), -1)
            order = _by_banks(totals, said)
        order, positions = tf.math.top_k(order, tf.minimum(2 * search.beams, width))
        best = tf.gather(totals, positions, batch_dims=1)
        parents = _parents(positions // of_each, search.beams)
        ids = tf.gather(tf.reshape(ids, [-1, width]), positions, batch_dims=1)
        ends = tf.equal(ids, EOS)
        attended = _attended(scorer, loop, states, search)
        pool = _merged(
            loop,
            tf.where(ends, best, _NEVER)[:, : search.beams],
            parents[:, : search.beams],
            attended,
            search,
        )
        _, chosen = tf.math.top_k(tf.where(ends, 2 * _NEVER, order), search.beams)
        totals = tf.gather(tf.where(ends, 2 * _NEVER, best), chosen, batch_dims=1)
        if terms is not None:
            progress = tf.gather(progress, positions, batch_dims=1)
            loop = loop._replace(progress=tf.gather(progress, chosen, batch_dims=1))
        parents = tf.reshape(tf.gather(parents, chosen, batch_dims=1), [-1])
        chosen_ids = tf.gather(ids, chosen, batch_dims=1)[..., tf.newaxis]
        went_on = loop._replace(
            step=loop.step + 1,
            states=_gathered(states, parents),
            ids=tf.concat([_of_parents(loop.ids, parents), chosen_ids], 2),
            totals=totals,
            attended=_of_parents(attended, parents),
            pool=pool,
        )
        return _without_done(went_on, _is_done(went_on, search), search.beams)

    return _run(body, scorer, source, limits, search, terms).found


class Draws(NamedTuple):
    """How pieces are drawn.

    Attributes:
        temperature: float32, that log-probabilities are divided by before.
        seed: int32 `[2]`.
    """

    temperature: tf.Tensor
    seed: tf.Tensor


def sample(
    scorer: Scorer,
    source: tf.Tensor,
    limits: tf.Tensor,
    search: Search,
    draws: Draws | None = None,
) -> Hypotheses:
    """One hypothesis per sentence, of the likeliest pieces (greedy) or of drawn ones.

    Args:
        scorer, source, limits: As for `beam_search`.
        search: With one beam.
        draws: How pieces are drawn; None for the likeliest ones.
    """

    def body(loop: _Loop) -> _Loop:
        scores, allowed, states = _next_scores(scorer, loop, search)
        chosen_by = allowed
        if draws is not None:
            noise = tf.random.stateless_uniform(
                tf.shape(scores), draws.seed + [0, loop.step], minval=1e-30
            )
            # The largest of these sums is a draw by the softmax of the scores.
            chosen_by = allowed / draws.temperature - tf.math.log(-tf.math.log(noise))
        ids = tf.argmax(chosen_by, -1, tf.int32)
        normaliser = _log_of_sum(scores, ids[:, tf.newaxis])
        ids = tf.where(loop.step >= loop.limits, EOS, ids)
        said = tf.gather(scores, ids[:, tf.newaxis], batch_dims=1)
        totals = loop.totals + (said - normaliser)
        ends = tf.equal(ids, EOS)
        attended = _attended(scorer, loop, states, search)
        rows = tf.range(tf.shape(ids)[0])
        went_on = loop._replace(
            step=loop.step + 1,
            states=states,
            ids=tf.concat([loop.ids, ids[:, tf.newaxis, tf.newaxis]], 2),
            totals=totals,
            attended=attended,
            pool=_merged(
                loop,
                tf.where(ends[:, tf.newaxis], totals, _NEVER),
                rows[:, tf.newaxis],
                attended,
                search,
            ),
        )
        return _without_done(went_on, ends, search.beams)

    return _run(body, scorer, source, limits, search).found


class _Loop(NamedTuple):
    """Where a search stands: A sentences that are not done, of N.

    `found` has the hypotheses of all sentences that are done; the rest is of the
    others: `sentences` `[A]` are their numbers, `pool` their finished hypotheses,
    `ids` `[A, K, t]`, `totals` `[A, K]` (log-probabilities) and `attended`
    `[A, K, S]` (sums of attention; of no width where nobody asks) are of the
    hypotheses that go on. So is `progress` `[A, K, C]`: how many pieces of each of
    `terms` `[A, C, L]` their last pieces are; one more than all if a term was said
    before.
    """

    step: tf.Tensor
    sentences: tf.Tensor
    limits: tf.Tensor
    real: tf.Tensor
    memory: Nest
    states: Nest
    ids: tf.Tensor
    totals: tf.Tensor
    attended: tf.Tensor
    terms: tf.Tensor
    progress: tf.Tensor
    pool: Hypotheses
    found: Hypotheses


def _run(
    body: Callable[[_Loop], _Loop],
    scorer: Scorer,
    source: tf.Tensor,
    limits: tf.Tensor,
    search: Search,
    terms: Terms | None = None,
) -> _Loop:
    number, positions = tf.shape(source)[0], tf.shape(source)[1]
    pieces = tf.zeros([number, 0, 0], tf.int32) if terms is None else terms.pieces
    memory, states = scorer.begin(source)
    nothing = Hypotheses(
        tf.zeros([number, search.beams, 1], tf.int32),
        tf.fill([number, search.beams], _NEVER),
        tf.fill([number, search.beams], _NEVER),
    )
    start = _Loop(
        step=tf.constant(0),
        sentences=tf.range(number),
        limits=limits,
        real=tf.not_equal(source, PADDING),
        memory=memory,
        states=_gathered(states, tf.repeat(tf.range(number), search.beams)),
        ids=tf.fill([number, search.beams, 1], BOS),
        # At first all hypotheses of a sentence are the same, so one alone counts.
        totals=tf.tile([[0.0] + [2 * _NEVER] * (search.beams - 1)], [number, 1]),
        attended=tf.zeros(
            [number, search.beams, positions if search.penalties.coverage else 0]
        ),
        terms=pieces,
        progress=tf.zeros([number, search.beams, tf.shape(pieces)[1]], tf.int32),
        pool=nothing,
        found=nothing,
    )
    hypotheses = Hypotheses(
        tf.TensorShape([None, search.beams, None]),
        tf.TensorShape([None, search.beams]),
        tf.TensorShape([None, search.beams]),
    )

    def any_number_of_rows(tensor: tf.Tensor) -> tf.TensorShape:
        return tf.TensorShape([None, *tensor.shape[1:]])

    return tf.while_loop(
        lambda *loop: tf.size(_Loop(*loop).sentences) > 0,
        lambda *loop: body(_Loop(*loop)),
        start,
        shape_invariants=tf.nest.map_structure(any_number_of_rows, start)._replace(
            step=tf.TensorShape([]),
            ids=tf.TensorShape([None, None, None]),
            attended=tf.TensorShape([None, None, None]),
            progress=tf.TensorShape([None, None, None]),
            pool=hypotheses,
            found=hypotheses,
        ),
    )


def _next_scores(
    scorer: Scorer, loop: _Loop, search: Search
) -> tuple[tf.Tensor, tf.Tensor, Nest]:
    """Scores `[rows, V]`, those of pieces that are allowed, and the new states."""
    last = tf.reshape(loop.ids[:, :, -1], [-1])
    scores, states = scorer.step(loop.memory, loop.states, last)
    if not search.no_repeat_ngram:
        return scores, scores, states
    flat = tf.reshape(loop.ids, [-1, loop.step + 1])
    allowed = _without_repeats(scores, flat[:, 1:], search.no_repeat_ngram)
    return scores, allowed, states


def _best(scores: tf.Tensor, number: int) -> tuple[tf.Tensor, tf.Tensor]:
    """As `tf.math.top_k`, faster where rows are long.

    The best of a row are in the blocks whose largest scores are the largest ones.
    """
    width = scores.shape[-1]
    in_blocks = width // _BLOCK * _BLOCK
    if number * _BLOCK >= in_blocks:
        return tf.math.top_k(scores, number)
    blocks = tf.reshape(scores[:, :in_blocks], [-1, width // _BLOCK, _BLOCK])
    chosen = tf.math.top_k(tf.reduce_max(blocks, -1), number, sorted=False).indices
    positions = chosen[..., tf.newaxis] * _BLOCK + tf.range(_BLOCK)
    positions = tf.reshape(positions, [-1, number * _BLOCK])
    rest = tf.tile([tf.range(in_blocks, width)], [tf.shape(scores)[0], 1])
    positions = tf.concat([positions, rest], 1)
    values, among = tf.math.top_k(tf.gather(scores, positions, batch_dims=1), number)
    return values, tf.gather(positions, among, batch_dims=1)


def _log_of_sum(scores: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """log(sum(exp)) of each row, `[rows, 1]`, by a piece `[rows, 1]` that is likely."""
    # One pass through the scores; exponentials and their sum would be three.
    probabilities = tf.gather(tf.nn.softmax(scores), ids, batch_dims=1)
    logs = tf.math.log(tf.maximum(probabilities, _LEAST_PROBABILITY))
    return tf.gather(scores, ids, batch_dims=1) - logs


def _without_repeats(scores: tf.Tensor, ids: tf.Tensor, size: int) -> tf.Tensor:
    """Scores without the pieces that would make an n-gram of `ids` `[rows, t]` stand
    twice."""
    repeats = tf.ones_like(ids, tf.bool)
    if size > 1:
        # Before which pieces stand the same ones as at the end.
        padded = tf.pad(ids, [[0, 0], [size - 1, 0]], constant_values=-1)
        windows = tf.signal.frame(padded, size - 1, 1)
        repeats = tf.reduce_all(windows[:, :-1] == windows[:, -1:], -1)
    positions = tf.where(repeats)
    row = tf.cast(positions[:, 0], tf.int32)
    piece = tf.gather_nd(ids, positions)
    return tf.tensor_scatter_nd_min(
        scores,
        tf.stack([row, piece], 1),
        tf.fill([tf.size(row)], _NEVER),
    )


def _with_terms(
    loop: _Loop,
    scores: tf.Tensor,
    values: tf.Tensor,
    ids: tf.Tensor,
    never_next: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Candidates `[rows, n + C]` of candidates `[rows, n]`, and the progress of each.

    Added are the next pieces of terms. Far below 0 is what leaves no room for terms, as
    an end before them, and of the others what cannot follow a term that was just said.

    Returns:
        Scores, ids, and `progress` after each, `[A, K, n + C, C]`.
    """
    sizes = _sizes(loop.terms)[:, tf.newaxis]
    shape = tf.shape(loop.progress)
    following = tf.reshape(_following(loop), [-1, shape[2]])
    same = following[:, :, tf.newaxis] == following[:, tf.newaxis]
    again = tf.reduce_any(same & _earlier(shape[2]), -1)
    of_terms = tf.gather(scores, following, batch_dims=1)
    of_terms = tf.where((following == PADDING) | again, _NEVER, of_terms)
    just_said = tf.reduce_any((loop.progress == sizes) & (sizes > 0), -1)
    refused = tf.reshape(just_said, [-1, 1]) & tf.gather(never_next, ids)
    refused |= tf.reduce_any(ids[:, :, tf.newaxis] == following[:, tf.newaxis], -1)
    values = tf.concat([tf.where(refused, _NEVER, values), of_terms], 1)
    ids = tf.concat([ids, following], 1)
    of_hypotheses = tf.reshape(ids, [shape[0], shape[1], -1])
    progress = _progress(loop, of_hypotheses)
    sizes = sizes[:, :, tf.newaxis]
    # What was begun is lost where another piece comes between, so one alone counts.
    unsaid = progress < sizes
    need = tf.reduce_sum(tf.where(unsaid, sizes, 0), -1)
    need -= tf.reduce_max(tf.where(unsaid, progress, 0), -1)
    room = (loop.limits - loop.step - 1)[:, tf.newaxis, tf.newaxis]
    fits = need <= tf.where(of_hypotheses == EOS, 0, room)
    return tf.where(tf.reshape(fits, tf.shape(ids)), values, _NEVER), ids, progress


def _earlier(number: tf.Tensor) -> tf.Tensor:
    """Whether `[i, j]` the second of two numbers is the lower one."""
    return tf.range(number) < tf.range(number)[:, tf.newaxis]


def _sizes(terms: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(terms != PADDING, tf.int32), -1)


def _following(loop: _Loop) -> tf.Tensor:
    """The next piece of each term `[A, K, C]`, or `PADDING` behind the last."""
    at = tf.one_hot(loop.progress, tf.shape(loop.terms)[-1], dtype=tf.int32)
    return tf.reduce_sum(loop.terms[:, tf.newaxis] * at, -1)


def _progress(loop: _Loop, ids: tf.Tensor) -> tf.Tensor:
    """Of the terms, `[A, K, n, C]`, when pieces `[A, K, n]` are said next."""
    ids, before = ids[..., tf.newaxis], loop.progress[:, :, tf.newaxis]
    sizes = _sizes(loop.terms)[:, tf.newaxis, tf.newaxis]
    begins = ids == loop.terms[:, tf.newaxis, tf.newaxis, :, 0]
    goes_on = ids == _following(loop)[:, :, tf.newaxis]
    after = tf.where(goes_on, before + 1, tf.cast(begins, tf.int32))
    return tf.where(before >= sizes, sizes + 1, after)


def _by_banks(totals: tf.Tensor, pieces: tf.Tensor) -> tf.Tensor:
    """By what candidates `[A, n]` are chosen: first the best of each bank, of these
    the one with most pieces of terms; then the second ones, and so on."""
    one, other = totals[:, :, tf.newaxis], totals[:, tf.newaxis]
    better = (other > one) | ((other == one) & _earlier(tf.shape(totals)[1]))
    same_bank = pieces[:, :, tf.newaxis] == pieces[:, tf.newaxis]
    place = tf.reduce_sum(tf.cast(better & same_bank, tf.int32), -1)
    order = pieces - place * (tf.reduce_max(pieces, 1, keepdims=True) + 1)
    return tf.where(totals > _NEVER / 2, tf.cast(order, tf.float32), totals)


def _attended(scorer: Scorer, loop: _Loop, states: Nest, search: Search) -> tf.Tensor:
    """What the source got of attention up to this step, `[A, K, S]`."""
    if not search.penalties.coverage:
        return loop.attended
    weights = scorer.attention(loop.memory, states)
    return loop.attended + tf.reshape(weights, tf.shape(loop.attended))


def _merged(
    loop: _Loop,
    totals: tf.Tensor,
    parents: tf.Tensor,
    attended: tf.Tensor,
    search: Search,
) -> Hypotheses:
    """The pool with those of its parents' hypotheses that end here.

    Args:
        loop: Before this step.
        totals: `[A, K]`, far below 0 of what does not end.
        parents: Rows of their hypotheses, `[A, K]`.
        attended: After this step.
        search: Ranks them.
    """
    pool = loop.pool
    scores = totals / search.penalties.normaliser(loop.step + 1)
    if search.penalties.coverage:
        of_parents = _of_parents(attended, tf.reshape(parents, [-1]))
        scores += search.penalties.of_coverage(of_parents, loop.real[:, tf.newaxis])
    scores = tf.where(totals > _NEVER / 2, scores, _NEVER)
    ids = _of_parents(loop.ids, tf.reshape(parents, [-1]))
    ended = tf.concat([ids, tf.fill(tf.shape(ids[..., :1]), EOS)], 2)
    longer = tf.pad(pool.ids, [[0, 0], [0, 0], [0, 1]], constant_values=PADDING)
    scores, best = tf.math.top_k(tf.concat([pool.scores, scores], 1), search.beams)
    return Hypotheses(
        tf.gather(tf.concat([longer, ended], 1), best, batch_dims=1),
        scores,
        tf.gather(tf.concat([pool.log_probabilities, totals], 1), best, batch_dims=1),
    )


def _is_done(loop: _Loop, search: Search) -> tf.Tensor:
    """Which sentences need no further step, bool `[A]`."""
    scores = loop.pool.scores
    # Nothing that goes on can come to more than this, since no penalty is positive.
    bound = tf.reduce_max(loop.totals, 1) / search.penalties.normaliser(loop.limits + 1)
    enough = scores[:, min(search.wanted, search.beams) - 1] >= bound
    return enough | (scores[:, -1] > _NEVER / 2) | (loop.step > loop.limits)


def _without_done(loop: _Loop, done: tf.Tensor, beams: int) -> _Loop:
    """The loop without sentences that are done, whose hypotheses are found."""
    found = loop.found._replace(
        ids=tf.pad(loop.found.ids, [[0, 0], [0, 0], [0, 1]], constant_values=PADDING)
    )

    def take_out() -> _Loop:
        rows = tf.where(done)[:, 0]
        positions = tf.gather(loop.sentences, rows)[:, tf.newaxis]
        now_found = tf.nest.map_structure(
            lambda found, pool: tf.tensor_scatter_nd_update(
                found, positions, tf.gather(pool, rows)
            ),
            found,
            loop.pool,
        )
        left = tf.cast(tf.where(~done)[:, 0], tf.int32)
        hypotheses = tf.reshape(left[:, tf.newaxis] * beams + tf.range(beams), [-1])
        return _Loop(
            step=loop.step,
            sentences=tf.gather(loop.sentences, left),
            limits=tf.gather(loop.limits, left),
            real=tf.gather(loop.real, left),
            memory=_gathered(loop.memory, left),
            states=_gathered(loop.states, hypotheses),
            ids=tf.gather(loop.ids, left),
            totals=tf.gather(loop.totals, left),
            attended=tf.gather(loop.attended, left),
            terms=tf.gather(loop.terms, left),
            progress=tf.gather(loop.progress, left),
            pool=_gathered(loop.pool, left),
            found=now_found,
        )

    return tf.cond(tf.reduce_any(done), take_out, lambda: loop._replace(found=found))


def _parents(hypotheses: tf.Tensor, beams: int) -> tf.Tensor:
    """Rows of all hypotheses, of numbers `[A, n]` within those of a sentence."""
    return hypotheses + tf.range(tf.shape(hypotheses)[0])[:, tf.newaxis] * beams


def _of_parents(values: tf.Tensor, parents: tf.Tensor) -> tf.Tensor:
    """Of `[A, K, ...]` the rows `[A * n]` of hypotheses, as `[A, n, ...]`."""
    shape = tf.shape(values)
    flat = tf.reshape(values, tf.concat([[shape[0] * shape[1]], shape[2:]], 0))
    number = tf.size(parents) // shape[0]
    return tf.reshape(
        tf.gather(flat, parents), tf.concat([[shape[0], number], shape[2:]], 0)
    )


def _gathered(nest: Nest, rows: tf.Tensor) -> Nest:
    return tf.nest.map_structure(lambda values: tf.gather(values, rows), nest)
