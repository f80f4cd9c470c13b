package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvQP;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.VerbsQueuePair;
import java.io.IOException;

/// A queue pair.
final class Qp extends IbvQP {
    private final VerbsQueuePair queuePair;
    private final boolean signalsAll;

    /// @param signalsAll whether each request completes, whatever its flags say (`sq_sig_all`)
    Qp(VerbsQueuePair queuePair, Pd domain, Cq sends, Cq receives, boolean signalsAll) throws IOException {
        super(queuePair.number());
        this.queuePair = queuePair;
        this.signalsAll = signalsAll;
        pd = domain;
        context = domain.getContext();
        send_cq = sends;
        recv_cq = receives;
        handle = queuePair.kernelNumber();
        qp_type = IBV_QPT_RC;
    }

    boolean signalsAll() {
        return signalsAll;
    }

    VerbsQueuePair open(String what) throws IOException {
        if (!isOpen()) {
            throw Failures.io(RdmaError.CLOSED, "queue pair " + queuePair.number() + " is destroyed; " + what
                    + " is not possible");
        }
        return queuePair;
    }

    /// The state now, one of `IBV_QPS_...`.
    @Override
    public int getState() {
        return queuePair.state().ordinal();
    }

    /// Tells of a doorbell that was not taken.
    ///
    /// @param posted how many of the requests were
    void check(PostStatus status, String what, int posted, int size) throws IOException {
        if (status == PostStatus.POSTED) {
            return;
        }
        String number = "queue pair " + queuePair.number();
        String effect = posted == 0 ? "nothing was posted" : "the first " + posted + " of " + size + " were posted";
        throw switch (status) {
            case QUEUE_FULL -> Failures.io(RdmaError.OUT_OF_RESOURCES, what + ": " + number + " has no room for " + size
                    + " requests, " + effect + "; poll completions, then post again");
            case INVALID_STATE -> Failures.io(RdmaError.INVALID_STATE, what + ": " + number + " is in " + queuePair.state() + ", "
                    + effect + "; connect it first");
            case INLINE_TOO_LONG -> Failures.io(RdmaError.INVALID_ARGUMENT, what + ": an inline payload is longer than "
                    + "max_inline_data of " + number + ", " + effect);
            case CLOSED -> Failures.io(RdmaError.CLOSED, what + ": " + number + " is destroyed, " + effect);
            default -> Failures.io(RdmaError.INVALID_ARGUMENT, what + ": " + number + " refused request " + posted + " of "
                    + size + ", " + effect + "; check its ranges: an inline payload must lie in the open region of its key");
        };
    }
}
