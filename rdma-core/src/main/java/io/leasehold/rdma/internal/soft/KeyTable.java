package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import java.util.ArrayDeque;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// All key entries of a device, found by the 24-bit index of a key.
///
/// Entries are made once and reused in the order they were freed, and each keeps counting its variants, so that a key of a freed
/// region or window opens nothing for the next 255 owners of its index. Indexes are the slots, permuted by a secret of the
/// device, so that one key says nothing about the others; who has several can work it out. Keys are no secrets: what protects is
/// what the entry says. Lookup takes no lock.
final class KeyTable {
    private static final int INDEX_BITS = 24;
    private static final int INDEX_MASK = (1 << INDEX_BITS) - 1;
    private static final int CHUNK_BITS = 12;
    private static final int CHUNK_MASK = (1 << CHUNK_BITS) - 1;

    private final AtomicReferenceArray<@Nullable AtomicReferenceArray<@Nullable KeyEntry>> chunks =
            new AtomicReferenceArray<>(1 << INDEX_BITS - CHUNK_BITS);
    private final ArrayDeque<KeyEntry> free = new ArrayDeque<>();
    private final SplittableRandom random;
    // index = slot * multiplier + offset (mod 2^24), with an odd multiplier: a permutation, and inverse undoes it.
    private final int multiplier;
    private final int inverse;
    private final int offset;
    private int slots;

    KeyTable(long seed) {
        random = new SplittableRandom(seed);
        multiplier = random.nextInt() | 1;
        offset = random.nextInt();
        // Newton's iteration for the inverse of an odd number modulo a power of two: each step doubles the bits that are right.
        int x = multiplier;
        for (int bits = 3; bits < Integer.SIZE; bits *= 2) {
            x *= 2 - multiplier * x;
        }
        inverse = x;
    }

    /// The entry with the index of `key`, or `null` if there never was one.
    @Nullable KeyEntry find(int key) {
        int slot = ((key >>> 8) - offset) * inverse & INDEX_MASK;
        AtomicReferenceArray<@Nullable KeyEntry> chunk = chunks.getAcquire(slot >>> CHUNK_BITS);
        return chunk == null ? null : chunk.getAcquire(slot & CHUNK_MASK);
    }

    /// An invalid and idle entry for the caller to publish; its key opens nothing yet.
    synchronized KeyEntry allocate() {
        KeyEntry reused = free.pollFirst();
        if (reused != null) {
            return reused;
        }
        if (slots > INDEX_MASK) {
            throw new RdmaException(RdmaError.OUT_OF_RESOURCES,
                    "all " + slots + " key indexes are in use; close a region or window");
        }
        int slot = slots++;
        var entry = new KeyEntry(slot * multiplier + offset & INDEX_MASK, random.nextInt(RemoteKey.VARIANT_MASK + 1));
        AtomicReferenceArray<@Nullable KeyEntry> chunk = chunks.getPlain(slot >>> CHUNK_BITS);
        if (chunk == null) {
            chunk = new AtomicReferenceArray<>(1 << CHUNK_BITS);
            chunks.setRelease(slot >>> CHUNK_BITS, chunk);
        }
        chunk.setRelease(slot & CHUNK_MASK, entry);
        return entry;
    }

    /// Takes back an entry that is invalid and idle.
    synchronized void release(KeyEntry entry) {
        entry.clear();
        free.addLast(entry);
    }
}
