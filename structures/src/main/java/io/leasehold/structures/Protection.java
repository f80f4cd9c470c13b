package io.leasehold.structures;

/// How closely leases follow what a structure does; the same structure may be opened with different protections by different
/// sessions.
public enum Protection {
    /// Leases on the chunks that hold index and blocks, kept and extended by the session. The default: no control request in the
    /// path of an
    /// operation.
    STRUCTURE,
    /// As [#STRUCTURE] for the index, and one lease for each block that is read or written, as in the evaluation of Patronus
    /// (FAST'23):
    /// the tightest, and two control requests an operation.
    BLOCK,
    /// One key to all of the node's memory, and no leases: for measuring only, and only at a node that allows it.
    NONE
}
