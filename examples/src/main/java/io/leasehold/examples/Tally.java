package io.leasehold.examples;

import io.leasehold.structures.Codec;
import java.util.BitSet;

/// How often a word was counted, and in which chunks: adding a chunk twice changes nothing.
///
/// The queue delivers each chunk *at least* once: when a consumer dies between counting and acknowledging, somebody else gets
/// its chunks again, and some of their words are in the map already. A word's count and the chunks it stands for change together,
/// in one compare-and-swap of the map; so whatever dies when, each chunk is in each count exactly once.
///
/// @param count how often the word occurs in the chunks
/// @param chunks the numbers of the chunks added so far; not to be changed
record Tally(long count, BitSet chunks) {
    /// Nothing counted.
    static final Tally NONE = new Tally(0, new BitSet());

    /// How a tally is stored in remote memory.
    static final Codec<Tally> CODEC = Codec.of("wordcount.tally/1",
            (tally, out) -> out.putLong(tally.count).putBytes(tally.chunks.toByteArray()),
            in -> new Tally(in.getLong(), BitSet.valueOf(in.getBytes())));

    /// This tally with `occurrences` in chunk `number`, or this tally if that chunk is in it.
    Tally with(int number, long occurrences) {
        if (chunks.get(number)) {
            return this;
        }
        BitSet more = (BitSet) chunks.clone();
        more.set(number);
        return new Tally(count + occurrences, more);
    }
}
