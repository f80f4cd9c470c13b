package io.leasehold.lease;

import java.util.LinkedHashSet;
import java.util.UUID;

/// A piece of a node's memory that was handed out as one: the most that one lease can cover. It knows the leases that live on it,
/// oldest first.
final class Allocation {
    /// What the memory is for.
    sealed interface Use {
        /// Bound to a session.
        record OfSession(UUID session) implements Use {
        }

        /// Named memory.
        record Named(String name) implements Use {
        }

        /// The root of a heap.
        record HeapRoot(NodeHeap heap) implements Use {
        }

        /// A chunk of a heap.
        record HeapChunk(NodeHeap heap, HeapKind kind) implements Use {
        }

        /// How the policy sees it.
        default AccessPolicy.Target target() {
            return switch (this) {
                case OfSession _ -> new AccessPolicy.Target(AccessPolicy.Kind.SESSION, "");
                case Named(String name) -> new AccessPolicy.Target(AccessPolicy.Kind.NAMED, name);
                case HeapRoot(NodeHeap heap) -> heap.target();
                case HeapChunk(NodeHeap heap, HeapKind _) -> heap.target();
            };
        }
    }

    private final long offset;
    private final long lengthBytes;
    private final Use use;
    // Lease ids grow with time, and this keeps the order of adding: the first is the oldest.
    private final LinkedHashSet<Long> leases = new LinkedHashSet<>();

    Allocation(long offset, long lengthBytes, Use use) {
        this.offset = offset;
        this.lengthBytes = lengthBytes;
        this.use = use;
    }

    long offset() {
        return offset;
    }

    /// The length as it was asked for.
    long lengthBytes() {
        return lengthBytes;
    }

    /// The length as it was taken from the node's memory.
    long reservedBytes() {
        return NodeMemory.roundUp(lengthBytes);
    }

    Use use() {
        return use;
    }

    /// Whether all of a range lies inside.
    boolean covers(long start, long bytes) {
        return start >= offset && bytes <= lengthBytes && start - offset <= lengthBytes - bytes;
    }

    /// The ids of the leases that live here, oldest first.
    LinkedHashSet<Long> leases() {
        return leases;
    }
}
