package io.leasehold.lease;

import io.leasehold.lease.WorkChain.Fault;
import io.leasehold.lease.WorkChain.Kind;
import io.leasehold.rdma.WorkCompletionStatus;

/// Says what went wrong with a chain: the node, the operation and its range, the cause and the remedy.
final class ChainFailure {
    private final SessionState state;
    private final ClusterClock clock;

    ChainFailure(SessionState state, ClusterClock clock) {
        this.state = state;
        this.clock = clock;
    }

    /// The exception for a chain that has ended with a fault.
    RuntimeException of(WorkChain chain) {
        int doubtful = chain.changeInDoubt();
        if (doubtful < 0) {
            return certain(chain, describe(chain, chain.from));
        }
        String why = chain.errorStatus == WorkCompletionStatus.REM_ACCESS_ERR && chain.lengthBytes(doubtful) > WorkChain.WHOLE_MAX
                ? ": it was refused, but longer ones than " + WorkChain.WHOLE_MAX + " bytes are in pieces; some"
                : ": the connection broke before the answer came; it";
        String what = describe(chain, doubtful) + why + " may have been carried out: read before trying again";
        if (chain.fault == Fault.IN_DOUBT) {
            return new OutcomeUnknownException(what + " (" + chain.status + ")");
        }
        RuntimeException end = certain(chain, "another try at the " + describe(chain, chain.from));
        return new OutcomeUnknownException(what + " (" + end.getMessage() + ")", end);
    }

    /// The exception for what ended the chain, if nothing of it is in doubt.
    private RuntimeException certain(WorkChain chain, String what) {
        Lease lease = chain.lease(chain.from);
        return switch (chain.fault) {
            case NONE, IN_DOUBT -> new IllegalStateException(what + " did not fail");
            case EXPIRED -> lease.endedException(what);
            case REFUSED -> lease.hasEnded(clock) ? lease.endedException(what)
                    : new AccessDeniedException(what + " was refused by the node's device (" + chain.status
                            + "): no live lease allows it; the lease may have been ended by the node, acquire a new one");
            case UNREACHABLE, CLOSED -> state.isOpen()
                    ? new NodeUnavailableException(what + " was not carried out in time; the node is busy or gone: try again")
                    : state.exception(what);
        };
    }

    /// The exception for a chain that is on the way still when its time is over, and that nobody else has yet.
    RuntimeException unanswered(WorkChain chain, long timeoutNanos) {
        // Whoever delivers completions may be moving it on.
        int position = Math.min(chain.from, chain.size() - 1);
        String message = describe(chain, position) + ": no answer after " + timeoutNanos / 1_000_000 + " ms";
        // From the first on: nobody can ask any more what became of those that were carried out.
        for (int i = 0; i < chain.size(); i++) {
            if (chain.kind(i) != Kind.READ) {
                return new OutcomeUnknownException(message + "; it may have been carried out: read before trying again");
            }
        }
        return new NodeUnavailableException(message + "; the node is busy or gone: try again");
    }

    private String describe(WorkChain chain, int position) {
        Lease lease = chain.lease(position);
        String verb = switch (chain.kind(position)) {
            case READ -> "read of ";
            case WRITE -> "write of ";
            case COMPARE_AND_SWAP -> "compare-and-swap of ";
            case FETCH_AND_ADD -> "fetch-and-add of ";
        };
        return verb + chain.lengthBytes(position) + " bytes at offset "
                + lease.offsetOf(chain.remote(position)) + " of " + lease + " at " + state.node();
    }
}
