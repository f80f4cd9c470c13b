package io.leasehold.lease;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumSet;

/// The lease words of one session, one under the other, and the node's own record of them; [LeaseWord] draws one.
///
/// The session may scribble in its row as it likes, so the record is the truth: a word's era grows by one whenever a lease that
/// uses it ends. The row is registered here for the node's own swaps; [Backing] opens it to the session, for atomics only. Its
/// memory is fresh, hence zero, and is given up with the session. For one thread.
final class WordRow implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final MemoryRegion loopRegion;
    private final int words;
    private int[] eras = new int[16];
    private int[] free = new int[16];
    private int freed;
    private int touched;
    private int inUse;

    WordRow(int words, ProtectionDomain loopDomain) {
        this.words = words;
        memory = arena.allocate((long) words * Long.BYTES, Long.BYTES);
        try {
            loopRegion = loopDomain.register(memory,
                    EnumSet.of(AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_READ, AccessFlag.REMOTE_ATOMIC));
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /// All words.
    MemorySegment memory() {
        return memory;
    }

    int inUse() {
        return inUse;
    }

    /// Takes a word for a lease, or answers -1 if all are in use.
    int take() {
        if (freed > 0) {
            inUse++;
            return free[--freed];
        }
        if (touched == words) {
            return -1;
        }
        if (touched == eras.length) {
            eras = Arrays.copyOf(eras, 2 * touched);
        }
        inUse++;
        return touched++;
    }

    /// The era of the lease that uses the word, or of the next that will.
    int era(int word) {
        return eras[word];
    }

    /// Gives back a word whose lease has ended. It should hold the next era and no units; if a client scribbled, the next swap
    /// finds out.
    void giveBack(int word) {
        inUse--;
        eras[word]++;
        if (freed == free.length) {
            free = Arrays.copyOf(free, 2 * freed);
        }
        free[freed++] = word;
    }

    /// Gives back a word that could not be set, because it changes all the time: it is not used again.
    void abandon() {
        inUse--;
    }

    /// A swap of `word`.
    WordSwap swap(int word) {
        return new WordSwap(loopRegion.address() + (long) word * Long.BYTES, loopRegion.remoteKey());
    }

    /// Gives the row up; it is open to nobody.
    @Override
    public void close() {
        loopRegion.close();
        arena.close();
    }
}
