package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;

/// The key of an operation, and the block that the operation may make visible: allocated when it is first needed, written before
/// a word refers to it, and given back if none does in the end. For one thread; reused from operation to operation.
final class OwnBlock<K, V> {
    private static final int NONE = -1;

    private final Memory memory;
    private final ExpiryClock expiry;
    private final BlockImage<K, V> image;
    private long address;
    private int lengthBytes;
    private int position;
    private boolean isWritten;
    /// Whether a word may ever have referred to it: then others may be reading it.
    private boolean wasReferred;

    OwnBlock(MapContext<K, V> context) {
        memory = context.memory();
        expiry = context.expiry();
        image = new BlockImage<>(context.codecs(), context.hashFunction());
    }

    /// Begins with another key.
    void begin(K key, Intent<V> intent) {
        address = 0;
        position = NONE;
        image.key(key);
        if (intent.isEager()) {
            image.value(intent.value(), expiry.instant(intent.lifeNanos()));
        }
    }

    BlockImage<K, V> image() {
        return image;
    }

    /// The length of the block, header included.
    int lengthBytes() {
        return lengthBytes;
    }

    /// Has the block hold the value that `intent` has come to.
    void prepare(Intent<V> intent) {
        if (!intent.hasFixedValue() || !image.hasValue()) {
            image.value(intent.value(), expiry.instant(intent.lifeNanos()));
            giveBack();
        }
        if (address == 0) {
            allocate();
        }
    }

    private void allocate() {
        lengthBytes = image.blockBytes();
        address = memory.allocate(HeapKind.DATA, lengthBytes);
        isWritten = false;
        wasReferred = false;
    }

    /// Before the steps of a doorbell are added.
    void next() {
        position = NONE;
    }

    /// Adds the WRITE of the block, unless it is written.
    void post(Access access) {
        if (address == 0) {
            allocate();
        }
        if (!isWritten) {
            position = access.write(HeapKind.DATA, address, image.block());
        }
    }

    /// The bytes that the last doorbell wrote.
    int postedBytes() {
        return position == NONE ? 0 : lengthBytes;
    }

    /// Takes note of what the doorbell did.
    ///
    /// @param all whether all its steps were carried out
    void take(Access access, boolean all) {
        isWritten |= position != NONE && (all || access.executed(position));
    }

    /// The word that claims the slot that holds `empty` for this block.
    long claim(long empty) {
        return SlotWord.claim(empty, fingerprint(), SlotWord.unitsOf(lengthBytes), address / Memory.GRANULE);
    }

    /// The word that puts this block in the place of what the slot with `word` holds.
    long replace(long word) {
        return SlotWord.replace(word, fingerprint(), SlotWord.unitsOf(lengthBytes), address / Memory.GRANULE);
    }

    private int fingerprint() {
        return HashBits.fingerprint(image.hash());
    }

    /// A word refers to the block, or may.
    void setReferred() {
        wasReferred = true;
    }

    boolean wasReferred() {
        return wasReferred;
    }

    /// The block belongs to the map now.
    void leave() {
        address = 0;
    }

    /// Gives the block back, to which no word refers, if there is one.
    void giveBack() {
        if (address == 0) {
            return;
        }
        if (wasReferred) {
            memory.retire(HeapKind.DATA, address, lengthBytes);
        } else {
            memory.abandon(HeapKind.DATA, address, lengthBytes);
        }
        address = 0;
    }

    /// Whether the intact `block` is of the same key.
    boolean hasKeyOf(MemorySegment block) {
        return image.hasKeyOf(block);
    }
}
