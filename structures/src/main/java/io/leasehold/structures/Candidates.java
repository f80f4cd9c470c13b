package io.leasehold.structures;

import java.lang.foreign.MemorySegment;

/// The slots of a [BucketPair] whose fingerprint is that of a key, and what their blocks turn out to be: the key's entry,
/// insertions of the same key that are not decided (*rivals*), or other keys (*strangers*). For one thread; reused from key to
/// key.
final class Candidates {
    /// What a look at the blocks has led to.
    enum Finding {
        /// All is known.
        COMPLETE,
        /// Large blocks, whose headers told their lengths, have to be read: post again.
        MORE,
        /// A block is not as it was written.
        DAMAGED
    }

    private final BucketPair pair;
    private final int[] slots = new int[BucketPair.SLOTS];
    private final int[] lengths = new int[BucketPair.SLOTS];
    private final int[] rivals = new int[BucketPair.SLOTS];
    /// Words that are known to belong to other keys: while the access lasts a word's block does not change.
    private final long[] strangers = new long[2 * BucketPair.SLOTS];
    private int count;
    private int rivalCount;
    private int strangerCount;
    private int position;
    private int match;
    private int matchBytes;
    private MemorySegment matchBlock = MemorySegment.NULL;

    Candidates(BucketPair pair) {
        this.pair = pair;
    }

    /// Forgets everything: what was known is only known for one key and one access.
    void clear() {
        count = 0;
        rivalCount = 0;
        strangerCount = 0;
        match = -1;
        matchBlock = MemorySegment.NULL;
    }

    /// Collects the slots that have to be looked at.
    ///
    /// @param ownClaim the index of the caller's own claim, which makes it look for rivals too, or a negative number
    /// @param whole whether the value is wanted too
    void collect(int fingerprint, int ownClaim, BlockImage<?, ?> image, boolean whole) {
        count = 0;
        rivalCount = 0;
        match = -1;
        for (int i = 0; i < BucketPair.WORDS; i++) {
            long word = pair.word(i);
            if (SubtableShape.isHeader(i) || i == ownClaim || SlotWord.isEmpty(word)
                    || SlotWord.fingerprint(word) != fingerprint) {
                continue;
            }
            // A tentative word that is frozen is dead: it is not copied, and its owner cannot commit it.
            if (SlotWord.isTentative(word) && (ownClaim < 0 || SlotWord.isFrozen(word)) || isStranger(word)) {
                continue;
            }
            slots[count] = i;
            lengths[count++] = lengthToRead(word, image, whole);
        }
    }

    private static int lengthToRead(long word, BlockImage<?, ?> image, boolean whole) {
        if (SlotWord.units(word) == SlotWord.LARGE) {
            return KeyValueBlock.HEADER_BYTES;
        }
        int all = SlotWord.units(word) * Memory.GRANULE;
        return whole && !SlotWord.isTentative(word) ? all : Math.min(all, image.keyEnd());
    }

    boolean isEmpty() {
        return count == 0;
    }

    /// The bytes that [#post] will read.
    int bytes() {
        int bytes = 0;
        for (int i = 0; i < count; i++) {
            bytes += lengths[i];
        }
        return bytes;
    }

    /// Adds the READs of the blocks.
    void post(Access access) {
        for (int i = 0; i < count; i++) {
            int at = access.readFound(SlotWord.address(pair.word(slots[i])), lengths[i]);
            if (i == 0) {
                position = at;
            }
        }
    }

    /// Looks at the blocks that were read.
    Finding take(Access access, BlockImage<?, ?> image, boolean whole) {
        boolean more = false;
        match = -1;
        rivalCount = 0;
        for (int i = 0; i < count; i++) {
            MemorySegment block = access.data(position + i);
            long word = pair.word(slots[i]);
            if (KeyValueBlock.hash(block) != image.hash() || KeyValueBlock.keyBytes(block) != image.keyBytes()) {
                addStranger(word);
            } else if (SlotWord.units(word) == SlotWord.LARGE && !hasValueBytes(block)) {
                return Finding.DAMAGED;
            } else if (lengths[i] < needed(word, block, image, whole)) {
                lengths[i] = needed(word, block, image, whole);
                more = true;
            } else if (!KeyValueBlock.isKeyIntact(block)) {
                return Finding.DAMAGED;
            } else if (!image.hasKeyOf(block)) {
                addStranger(word);
            } else if (SlotWord.isTentative(word)) {
                rivals[rivalCount++] = slots[i];
            } else if (whole && !KeyValueBlock.isValueIntact(block)) {
                return Finding.DAMAGED;
            } else {
                match = slots[i];
                matchBlock = block;
                matchBytes = KeyValueBlock.bytes(KeyValueBlock.keyBytes(block), KeyValueBlock.valueBytes(block));
            }
        }
        return more ? Finding.MORE : Finding.COMPLETE;
    }

    private static boolean hasValueBytes(MemorySegment block) {
        return KeyValueBlock.valueBytes(block) >= 0 && KeyValueBlock.valueBytes(block) <= KeyValueBlock.VALUE_BYTES_MAX;
    }

    /// What has to be read of a block, as its header says. Of one that is not large, all that is needed was read.
    private static int needed(long word, MemorySegment block, BlockImage<?, ?> image, boolean whole) {
        boolean withValue = whole && !SlotWord.isTentative(word) && SlotWord.units(word) == SlotWord.LARGE;
        return withValue ? KeyValueBlock.bytes(image.keyBytes(), KeyValueBlock.valueBytes(block)) : image.keyEnd();
    }

    /// The index of the slot that holds the key's entry, or a negative number.
    int match() {
        return match;
    }

    MemorySegment matchBlock() {
        return matchBlock;
    }

    /// The length of the entry's block.
    int matchBytes() {
        return matchBytes;
    }

    boolean hasRivals() {
        return rivalCount > 0;
    }

    /// Whether a rival has a slot before that at `address`.
    boolean hasRivalBefore(long address) {
        for (int i = 0; i < rivalCount; i++) {
            if (pair.address(rivals[i]) < address) {
                return true;
            }
        }
        return false;
    }

    /// Adds the CASes that empty the rivals' slots.
    void postRemovals(Access access) {
        for (int i = 0; i < rivalCount; i++) {
            long word = pair.word(rivals[i]);
            int at = access.compareAndSwap(pair.address(rivals[i]), word, SlotWord.empty(word));
            if (i == 0) {
                position = at;
            }
        }
    }

    /// Whether all rivals were removed.
    boolean takeRemovals(Access access) {
        for (int i = 0; i < rivalCount; i++) {
            if (access.previous(position + i) != pair.word(rivals[i])) {
                return false;
            }
        }
        return true;
    }

    private boolean isStranger(long word) {
        for (int i = 0; i < strangerCount; i++) {
            if (strangers[i] == SlotWord.thaw(word)) {
                return true;
            }
        }
        return false;
    }

    private void addStranger(long word) {
        if (!isStranger(word)) {
            if (strangerCount == strangers.length) {
                strangerCount = 0;
            }
            strangers[strangerCount++] = SlotWord.thaw(word);
        }
    }
}
