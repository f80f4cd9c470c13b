package io.leasehold.lease;

import java.util.List;
import java.util.UUID;

/// What travels on a session's control queue pair, as values; [ControlCodec] draws and writes the bytes.
///
/// A request carries an id that its session never uses twice for another request; the node answers a repeated id with the answer it gave
/// before, so that a request may be sent again on a new control queue pair. Times are nanoseconds; *node time* is the node's clock.
/// Offsets are bytes from the start of the node's memory.
sealed interface ControlMessage {
    /// What a client may ask.
    sealed interface Request extends ControlMessage {
    }

    /// What a node may answer.
    sealed interface Reply extends ControlMessage {
    }

    /// First request on a control queue pair. Makes the session if `session` is new, else goes on with it after its old control
    /// queue pair broke. The id is also the session's secret: only its owner and the node know it.
    record Hello(UUID session, String principal, long nodeEpochExpected) implements Request {
    }

    /// Answer to [Hello]. `wordRowAddress` is where the session's lease words start, as remote requests name it.
    record Welcome(long nodeEpoch, int node, long sessionTermNanos, long maxTermNanos, long dataAddress, long dataBytes,
            long wordRowAddress, int words, boolean unprotectedAllowed, LeaseBacking backing, long nodeNanos) implements Reply {
    }

    /// Makes the data queue pair `index` (0, 1, …, as connected) the one that the session uses, and opens all live leases anew under new
    /// keys. `generation` grows by one at each activation; the first is 1.
    record Activate(int index, int generation) implements Request {
    }

    /// Keys after an activation: of the lease-word row, and of the leases from position `from` on; `total` is how many there are. A
    /// client asks for the rest with [MoreKeys].
    record Keys(int wordKey, int generation, int total, int from, List<LeaseKey> keys) implements Reply {
    }

    /// The key that a live lease has now.
    record LeaseKey(long lease, int key) {
    }

    /// Asks for the keys from position `from` on, of the activation `generation`.
    record MoreKeys(int generation, int from) implements Request {
    }

    /// Asks for a lease. `access` are bits of [io.leasehold.rdma.AccessFlag]. With `wholeChunk` the range grows to the chunk of the
    /// heap that holds `offset`.
    record Acquire(long offset, long lengthBytes, int access, LeaseMode mode, long unitNanos, int units, long maxLifeNanos,
            long patienceNanos, boolean wholeChunk) implements Request {
    }

    /// A lease: `key` opens its range on the active data queue pair of `generation`. It ends at `beginNanos + units × unitNanos`
    /// node time, and can be extended up to `endNanos`. Its word is number `word` of the session's row and holds `{era, units}`.
    record Granted(long lease, long offset, long lengthBytes, int key, int generation, int word, int era, long beginNanos,
            long unitNanos, int units, long endNanos, long nodeNanos) implements Reply {
    }

    /// Ends leases. Ids that are unknown or have ended are passed over.
    record Relinquish(List<Long> leases) implements Request {
    }

    /// The request was carried out and has nothing to tell.
    record Done() implements Reply {
    }

    /// One exchange of clocks, and a sign of life: `clientNanos` is the client's clock when it sent this.
    record Beat(long clientNanos) implements Request {
    }

    /// Answer to [Beat]: the node's clock when the request arrived and when this left.
    record BeatReply(long clientNanos, long arrivedNanos, long leftNanos) implements Reply {
    }

    /// Allocates zeroed memory that lives as long as the session.
    record Allocate(long bytes) implements Request {
    }

    /// Frees what [Allocate] allocated at `offset`, after ending the session's leases on it.
    record Free(long offset) implements Request {
    }

    /// Memory that was allocated.
    record Allocated(long offset, long lengthBytes) implements Reply {
    }

    /// Opens named memory; creates it, zeroed, if there is none and `create`. `bytes` 0 opens whatever size it has.
    record OpenNamed(String name, long bytes, boolean create) implements Request {
    }

    /// Answer to [OpenNamed].
    record Named(long offset, long lengthBytes, boolean created) implements Reply {
    }

    /// Frees named memory, after ending all leases on it.
    record FreeNamed(String name) implements Request {
    }

    /// Opens a heap, and with `create` makes one, whose root has `rootBytes` zeroed bytes.
    record OpenHeap(String name, long rootBytes, boolean create) implements Request {
    }

    /// Answer to [OpenHeap].
    record Heap(long heap, long rootOffset, long rootBytes, boolean created) implements Reply {
    }

    /// Asks for an extent of a heap.
    record AllocateExtent(long heap, HeapKind kind, long minBytes, long preferredBytes) implements Request {
    }

    /// Gives ranges of a heap back; they go to quarantine. Ranges that are not allocated fail the whole request.
    record Retire(long heap, List<Range> ranges) implements Request {
    }

    /// A range of a node's memory.
    record Range(long offset, long lengthBytes) {
    }

    /// Frees a heap and all that is in it, after ending all leases on it.
    record DestroyHeap(String name) implements Request {
    }

    /// Asks for one key to all memory; see [NodeOptions#unprotected()].
    record Unprotect() implements Request {
    }

    /// Answer to [Unprotect].
    record Unprotected(int key) implements Reply {
    }

    /// Ends the session: all its leases, its memory, its queue pairs.
    record Goodbye() implements Request {
    }

    /// The request failed and had no effect.
    record Failed(Reason reason, String detail) implements Reply {
    }

    /// Why a request failed; each becomes one kind of [LeaseException].
    enum Reason {
        /// [LeaseConflictException].
        CONFLICT,
        /// [CapacityException]: no window is free, or no region can be registered.
        OUT_OF_WINDOWS,
        /// [CapacityException]: the session's row has no free lease word, or its quota is used up.
        OUT_OF_WORDS,
        /// [CapacityException]: no memory of that size is free.
        OUT_OF_MEMORY,
        /// [CapacityException]: too many sessions.
        OUT_OF_SESSIONS,
        /// [OutOfBoundsException]: the range is not in the node's memory, or in no allocation that the session may use.
        OUT_OF_BOUNDS,
        /// [AccessDeniedException]: the node's policy does not allow it.
        NOT_PERMITTED,
        /// [NoSuchNameException].
        NO_SUCH_NAME,
        /// [LeaseExpiredException]: the session itself has ended.
        SESSION_ENDED,
        /// [NodeUnavailableException]: the node is closing, or could not bind.
        UNAVAILABLE,
        /// [IllegalArgumentException]: the request makes no sense; a fault of the client.
        BAD_REQUEST
    }
}
