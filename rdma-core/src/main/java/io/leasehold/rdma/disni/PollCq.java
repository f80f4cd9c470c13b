package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.SVCPollCq;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.internal.verbs.RawCompletion;
import io.leasehold.rdma.internal.verbs.VerbsCompletionQueue;
import java.io.IOException;

/// `ibv_poll_cq` into a list of completions. Executing it allocates nothing.
///
/// Of a request that failed the id, the status, the vendor error, the opcode and the queue pair are told; a device itself need not
/// tell the opcode.
final class PollCq extends SVCPollCq {
    private static final String WHAT = "poll";
    /// `enum ibv_wc_opcode` by [WorkCompletionOpcode#ordinal()].
    private static final int[] OPCODES = {0, 1, 2, 3, 4, 5, 6, 128, 129};

    private final Cq queue;
    private final IbvWC[] list;
    private final int count;
    private final WorkCompletion completion = new WorkCompletion();
    private final RawCompletion raw = new RawCompletion();
    private int polls;
    private boolean valid = true;

    PollCq(Cq queue, IbvWC[] list, int count) throws IOException {
        queue.open(WHAT);
        if (count < 0 || count > list.length) {
            throw Failures.io(RdmaError.INVALID_ARGUMENT, WHAT + ": " + count + " completions into a list of " + list.length);
        }
        for (int i = 0; i < count; i++) {
            if (list[i] == null) {
                throw Failures.io(RdmaError.INVALID_ARGUMENT, WHAT + ": the list has no completion at " + i + " to be filled");
            }
        }
        this.queue = queue;
        this.list = list;
        this.count = count;
    }

    @Override
    public SVCPollCq execute() throws IOException {
        if (!valid) {
            throw Failures.io(RdmaError.CLOSED, WHAT + ": the call was freed");
        }
        VerbsCompletionQueue open = queue.open(WHAT);
        polls = 0;
        while (polls < count && open.poll(completion, raw)) {
            fill(list[polls++]);
        }
        return this;
    }

    private void fill(IbvWC into) {
        into.setWr_id(completion.id());
        into.setStatus(raw.status());
        into.setOpcode(OPCODES[completion.opcode().ordinal()]);
        into.setVendor_err(raw.vendorError());
        into.setByte_len(raw.status() == 0 ? completion.byteLength() : 0);
        into.setImm_data(raw.immediate());
        into.setQp_num(completion.queuePairNumber());
        into.setSrc_qp(raw.sourcePairNumber());
        into.setWc_flags(raw.flags());
        into.setPkey_index((short) raw.pkeyIndex());
        into.setSlid((short) raw.sourceLid());
        into.setSl((short) raw.serviceLevel());
        into.setDlid_path_bits((short) raw.pathBits());
        into.setErr(raw.status() == 0 ? IbvWC.CQ_OK : raw.status());
        into.setSend(completion.opcode().compareTo(WorkCompletionOpcode.RECV) < 0);
    }

    @Override
    public int getPolls() {
        return polls;
    }

    @Override
    public boolean isValid() {
        return valid;
    }

    @Override
    public SVCPollCq free() {
        valid = false;
        return this;
    }
}
