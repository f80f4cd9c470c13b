package io.leasehold.structures;

/// Where things are in a subtable: `groups` groups of three buckets, one after another.
///
/// ```
/// group     [ main bucket 0 | overflow bucket | main bucket 1 ]        3 × 64 bytes
///           |<- combined bucket 0 ----------->|
///                           |<---- combined bucket 1 -------->|
/// bucket    [ header word | 7 slot words ]
/// ```
/// A key may live in two combined buckets of different groups, each one READ of 128 bytes (RACE hashing, ATC'21). Both choices
/// depend on the hash alone, not on the depth: an entry keeps its position when its subtable is split. That is a departure from
/// RACE, and why a split here cannot fail to place an entry.
///
/// @param groups the number of groups, at least 2
record SubtableShape(int groups) {
    static final int BUCKET_WORDS = 8;
    static final int BUCKET_BYTES = BUCKET_WORDS * Long.BYTES;
    static final int COMBINED_WORDS = 2 * BUCKET_WORDS;
    static final int COMBINED_BYTES = 2 * BUCKET_BYTES;
    static final int GROUP_BUCKETS = 3;
    static final int GROUP_BYTES = GROUP_BUCKETS * BUCKET_BYTES;
    static final int GROUPS_MIN = 2;
    /// Such that a choice of 18 bits still picks each bucket about equally often.
    static final int GROUPS_MAX = 1 << 12;

    SubtableShape {
        if (groups < GROUPS_MIN || groups > GROUPS_MAX) {
            throw new IllegalArgumentException(
                    "groups per subtable " + groups + " is outside " + GROUPS_MIN + " to " + GROUPS_MAX);
        }
    }

    int bytes() {
        return groups * GROUP_BYTES;
    }

    int words() {
        return bytes() / Long.BYTES;
    }

    /// Whether the word at `index` is the header of a bucket.
    static boolean isHeader(int index) {
        return index % BUCKET_WORDS == 0;
    }

    /// The number of the first combined bucket of a key, counted through the subtable.
    int first(long hash) {
        return pick(HashBits.first(hash));
    }

    /// The number of the second; never in the group of the first: two choices that share an overflow bucket would be worth less.
    int second(long hash) {
        int second = pick(HashBits.second(hash));
        return second / 2 == first(hash) / 2 ? (second + 2) % (2 * groups) : second;
    }

    /// The offset of the combined bucket numbered `combined`.
    static int offset(int combined) {
        return combined / 2 * GROUP_BYTES + combined % 2 * BUCKET_BYTES;
    }

    /// The index of the first word of the main bucket among the words of a combined bucket; the other bucket is the overflow
    /// bucket.
    static int mainBucket(int combined) {
        return combined % 2 * BUCKET_WORDS;
    }

    /// The header of a bucket, among the words of a subtable, that says that its keys have moved; 0 if none does.
    static long movedHeader(long[] words) {
        for (int i = 0; i < words.length; i += BUCKET_WORDS) {
            if (HeaderWord.isMoved(words[i])) {
                return words[i];
            }
        }
        return 0;
    }

    /// How many of the words of a subtable are entries.
    static int entries(long[] words) {
        int count = 0;
        for (int i = 0; i < words.length; i++) {
            if (!isHeader(i) && SlotWord.isCommitted(words[i])) {
                count++;
            }
        }
        return count;
    }

    /// The slots of a subtable.
    int slots() {
        return words() / BUCKET_WORDS * (BUCKET_WORDS - 1);
    }

    private int pick(int choice) {
        return (int) ((long) choice * (2 * groups) >>> HashBits.CHOICE_BITS);
    }
}
