package io.leasehold.testkit;

import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.util.OptionalInt;

/// A work completion that a test may keep.
///
/// @param id the work-request id
/// @param status how it ended
/// @param opcode what it was
/// @param queuePairNumber the local queue pair
/// @param byteLength bytes received or read
/// @param immediate the peer's immediate data
/// @param invalidatedKey the key that the peer invalidated
public record Completed(long id, WorkCompletionStatus status, WorkCompletionOpcode opcode, int queuePairNumber, int byteLength,
        OptionalInt immediate, OptionalInt invalidatedKey) {
    /// A copy of the flyweight.
    public static Completed of(WorkCompletion completion) {
        return new Completed(completion.id(), completion.status(), completion.opcode(), completion.queuePairNumber(),
                completion.byteLength(),
                completion.withImmediate() ? OptionalInt.of(completion.immediate()) : OptionalInt.empty(),
                completion.withInvalidate() ? OptionalInt.of(completion.invalidatedKey()) : OptionalInt.empty());
    }

    /// Whether the request was carried out.
    public boolean succeeded() {
        return status == WorkCompletionStatus.SUCCESS;
    }
}
