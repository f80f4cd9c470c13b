package io.leasehold.testkit;

import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;

/// Decides how a [MutantDevice] reports each completion, for tests of what a client makes of errors.
@FunctionalInterface
public interface CompletionWitness {
    /// How to report `completion`. An error that it does not have also takes the queue pair to the error state, as the true one
    /// would have. Must not wait; called by whoever polls.
    WorkCompletionStatus report(WorkCompletion completion);
}
