package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;

/// One structure operation's way to remote memory: add steps, execute them with one doorbell, look at the results, [#next()],
/// and so on.
///
/// It pins the lease of every chunk that it touches when it first touches it. If a pinned lease ends, [#execute()] throws
/// [StaleAccess] without posting anything, or with the steps from the refused one on not carried out: then nothing that was read
/// before can be relied on (memory may have been reused), and the operation starts over after [#restart()]. This is what makes
/// reuse of memory safe: retired memory is not reused while a lease on it lives that was granted before.
///
/// A lease that is granted after a pointer was read protects nothing: what the pointer leads to may have been retired and reused
/// in between. Therefore an access pins no lease that was granted after the access began: if it needs one, `execute()` throws
/// [StaleAccess] and the next attempt finds it granted. So whatever was referred to at any time since the access began stays what
/// it was until the access ends. Two exceptions: blocks that the session itself allocated and writes; and leases on single DATA
/// blocks ([Protection#BLOCK]), which are granted when they are needed: who reads a block has to look again, in the same doorbell
/// after the READ, whether the word that led to it still does. For one thread.
interface Access extends AutoCloseable {
    /// Tells that the steps that are added from now on, or looked at, belong to an operation that relies on what was read at
    /// `since`, and not on what others that share the access rely on; `Long.MAX_VALUE` if on nothing from before the access was
    /// borrowed or last began anew. Then only that operation's own leases have to be as old. An access may ignore it, which makes
    /// all as old as the oldest.
    default void relyFrom(long since) {
    }

    /// Adds a READ.
    ///
    /// @return its position
    int read(HeapKind kind, long address, int lengthBytes);

    /// Adds a READ of a DATA block to which a word leads that this access has read itself: the lease that it passes need only
    /// have been granted before the access was borrowed, even if the access relies on what an earlier one read.
    ///
    /// @return its position
    int readFound(long address, int lengthBytes);

    /// Adds a READ of a DATA block to which a word led when it was read some time ago. It may pass any lease, however young, so
    /// the block may have been reused: its reader has to read that word again behind it, in the same doorbell, and forget the
    /// block unless the word is the same.
    ///
    /// @return its position
    int readGuessed(long address, int lengthBytes);

    /// Relies on it that a DATA block to which a word led earlier has not been reused when the steps of this doorbell are carried
    /// out, without reading it: [#execute()] throws [StaleAccess] unless a lease that is as old as the access lives before and
    /// after. Not with [Protection#BLOCK], which has none.
    void rely(long address);

    /// Adds a WRITE of a copy of `from` to a block that this session allocated and has not retired.
    ///
    /// @return its position
    int write(HeapKind kind, long address, MemorySegment from);

    /// Adds a compare-and-swap of an aligned word in the root or in an INDEX block.
    ///
    /// @return its position
    int compareAndSwap(long address, long expected, long desired);

    /// Adds a fetch-and-add on an aligned word in the root or in an INDEX block.
    ///
    /// @return its position
    int fetchAndAdd(long address, long addend);

    /// The number of steps added since the last [#next()] or [#restart()].
    int size();

    /// Posts the steps added, in order, with one doorbell, and waits until they have ended.
    ///
    /// @throws StaleAccess if a pinned lease ended; [#executed(int)] says which steps were carried out all the same
    /// @throws io.leasehold.lease.LeaseException if the node or the connection failed
    void execute();

    /// Whether the step at `position` was carried out; meaningful after `execute()` threw.
    boolean executed(int position);

    /// What the READ at `position` brought: 8-byte aligned, valid until [#next()], [#restart()] or [#close()].
    MemorySegment data(int position);

    /// The word before the atomic at `position`.
    long previous(int position);

    /// Forgets steps and results, keeps the pinned leases.
    void next();

    /// Forgets steps, results and pinned leases: the access begins anew, now.
    void restart();

    /// When this access began, as a number for [Memory#access(long)]: blocks that this access found referred to can be relied on
    /// by a later one that begins there.
    long since();

    @Override
    void close();
}
