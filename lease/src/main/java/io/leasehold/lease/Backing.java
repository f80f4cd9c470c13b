package io.leasehold.lease;

import io.leasehold.rdma.RdmaException;

/// What opens the node's memory to sessions: to each lease its range, to each session its row of lease words. [WindowBacking] does
/// it by memory windows, [RegionBacking] by memory regions.
///
/// For the control thread; closed after it has ended.
sealed interface Backing extends AutoCloseable permits WindowBacking, RegionBacking {
    /// Which of the two it is.
    LeaseBacking kind();

    /// A session begins.
    ///
    /// @throws RdmaException if the device has no room for it
    void enter(NodeSession session);

    /// A session has ended, and all its openings are released.
    ///
    /// @return whether nothing is left of it; if not, this must be called again
    boolean leave(NodeSession session);

    /// Where the data queue pairs of a session are to be made.
    DataDomain domain(NodeSession session);

    /// An opening of a lease's range.
    ///
    /// @throws RefusedException if there is no room for it
    Opening take(NodeSession session, LeaseTerms terms) throws RefusedException;

    /// An opening of the session's row of lease words, for atomics only.
    ///
    /// @throws RefusedException if there is no room for it
    Opening takeRow(NodeSession session) throws RefusedException;

    /// Carries out what openings were told.
    void run();

    /// Openings that are taken and not released.
    int inUse();

    /// A key that opens all memory to a session, with all rights, until the session ends.
    ///
    /// @throws RefusedException if there is no room for it
    int unprotectedKey(NodeSession session) throws RefusedException;

    /// Gives back what is left.
    ///
    /// @throws RdmaException if the device may still touch the node's memory
    @Override
    void close();
}
