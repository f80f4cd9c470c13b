package io.leasehold.rdma.internal.verbs;

/// What goes along with a connected queue pair beside the device, and tells each side of the other's end.
interface Bond {
    /// Why a connection ends.
    enum Cause {
        /// The queue pair's owner closed, reset or failed it, or its process has ended, or nobody knows.
        GONE,
        /// A request of the side that says so was refused for its key, range or right.
        ACCESS_REFUSED,
        /// A request of the side that says so was refused for another reason.
        REQUEST_REFUSED
    }

    /// Tells the peer why the connection has ended, if it can still be told. Called without locks.
    void say(Cause cause, String detail);

    /// The last word. Called without locks.
    void end(String detail);
}
