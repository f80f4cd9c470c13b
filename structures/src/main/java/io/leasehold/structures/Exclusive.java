package io.leasehold.structures;

import java.lang.foreign.MemorySegment;

/// The exclusive right to write a range; a holder that was too slow is refused by the node. For one thread.
interface Exclusive extends AutoCloseable {
    /// Writes `from` at `address` and waits; the words it covers change 8 bytes at a time, in any order.
    ///
    /// @throws StaleAccess if the right has ended: it may have been written, if it ended while the connection was broken
    void write(long address, MemorySegment from);

    /// Writes one word.
    ///
    /// @throws StaleAccess if the right has ended: it may have been written, if it ended while the connection was broken
    void writeWord(long address, long word);

    /// Adds a write without waiting; [#flush()] posts what was added with one doorbell and waits.
    void add(long address, long word);

    /// Posts what was added.
    ///
    /// @throws StaleAccess if the right ended before the last was written; some may have been
    void flush();

    /// Gives the right up.
    @Override
    void close();
}
