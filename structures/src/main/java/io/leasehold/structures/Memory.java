package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/// What a structure needs of remote memory: one-sided operations, blocks, and exclusive ranges. The real one stands on leases
/// ([LeasedMemory]); tests have one that runs in this JVM under a seed.
///
/// An *address* is a `long` of 48 bits, `node:10 | offset:38`; a *block number* is an address without its low 6 bits, so a block
/// number has 42 bits and blocks are aligned to 64. Address 0 is never allocated.
interface Memory extends AutoCloseable {
    /// Alignment and granule of blocks, in bytes.
    int GRANULE = 64;

    /// The address of the root, which was zeroed when the heap was made; it may be read, CASed and FAAed by all.
    long root();

    /// The length of the root in bytes.
    long rootBytes();

    /// Borrows the means of one operation of a structure; close gives it back.
    Access access();

    /// Borrows the means of an operation that relies on what an earlier access read, as the address of a block: it counts as
    /// begun when that one began. Costs nothing. If a lease that it needs has been granted since, its [Access#execute()] throws
    /// [StaleAccess], and [Access#restart()] makes it an ordinary access, which begins then.
    ///
    /// @param since what [Access#since()] of the earlier access was
    Access access(long since);

    /// Whether what was read at `since` about the INDEX block at `address` can still be relied on, as far as that is known without
    /// asking: if not, an access that begins there would only have to start over.
    default boolean mayRely(long address, long since) {
        return true;
    }

    /// Allocates a block of at least `lengthBytes`, whose content is undefined, and that only this session may [Access#write]
    /// until it is retired. Usually costs nothing: blocks are cut from an extent that the session holds.
    ///
    /// Once a word refers to an INDEX block, any session may take it [#exclusive], however alive the session that allocated it: a
    /// subtable is split by whoever finds it full.
    ///
    /// @throws io.leasehold.lease.CapacityException if the node has no memory
    long allocate(HeapKind kind, int lengthBytes);

    /// Gives back a block, or a part of one in whole granules, that no word refers to any more; it is reused when no lease that
    /// could have seen it lives. Costs nothing now: blocks are given back many at a time. Never throws: the word that referred to
    /// the block has been changed, and with it the caller's operation is decided.
    void retire(HeapKind kind, long address, int lengthBytes);

    /// Gives back a block that never was referred to by any word: it may be allocated again at once.
    void abandon(HeapKind kind, long address, int lengthBytes);

    /// Takes the exclusive right to write `[address, address + lengthBytes)`; whoever else wants it waits. If the holder dies it
    /// ends within one
    /// lease. The session extends it until it is closed.
    ///
    /// @throws io.leasehold.lease.LeaseConflictException if others held it for all of `patience`
    Exclusive exclusive(long address, long lengthBytes, Duration patience);

    /// Time for back-off and deadlines, in nanoseconds.
    LongSupplier clock();

    /// The node's clock, in nanoseconds, as this client knows it: about the same for all clients, and only differences count.
    LongSupplier nodeClock();

    /// Randomness for back-off and choices; thread-safe.
    RandomGenerator random();

    /// Pauses the caller for about `nanos`, for back-off; a simulation lets others run instead.
    void pause(long nanos);

    /// Gives back all blocks and leases that are held.
    @Override
    void close();
}
