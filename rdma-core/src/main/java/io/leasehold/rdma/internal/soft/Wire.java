package io.leasehold.rdma.internal.soft;

/// What carries the requests of one connected queue pair to its peer; one end of a connection.
sealed interface Wire permits LocalWire, RemoteWire {
    /// Nothing to do once the locks are released.
    int NOTHING = 0;
    /// This queue pair has gone to ERR while the send lock was held: finish that.
    int FAILED = 1;
    /// The peer's completion queues may have something to tell.
    int TELL_PEER = 2;

    /// Carries requests of the send queue as far as they go now: begins with [SendQueue#started] and ends before `limit`.
    /// The caller holds the send lock.
    ///
    /// @return what the caller has to do when it has released the lock: any of the constants, for [#settle]
    int pump(long limit);

    /// Does what [#pump] left; the caller holds no lock.
    void settle(int effects);

    /// A receive was posted that the peer's message may be waiting for. The caller holds no lock.
    void receivePosted();

    /// Gives up what is on the way. The caller holds the send lock and has marked the queue pair as failed.
    ///
    /// @return the first place of the send queue that has certainly not been carried out
    long giveUp();

    /// Ends the connection; the peer learns of it. The caller holds no lock. More than once is harmless.
    void breakOff(String cause);

    /// Waits until what runs for this wire has ended, after [#breakOff]; at most until `deadlineNanos`.
    void awaitEnd(long deadlineNanos);
}
