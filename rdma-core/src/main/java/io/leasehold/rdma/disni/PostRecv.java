package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.SVCPostRecv;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.ReceiveChain;
import io.leasehold.rdma.internal.verbs.VerbsQueuePair;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// `ibv_post_recv` of a list of receives, laid out once. Executing it allocates nothing.
final class PostRecv extends SVCPostRecv {
    private static final String WHAT = "postRecv";

    private final Qp queuePair;
    private final ReceiveChain chain;
    private final List<RecvWRMod> receives;
    private boolean valid = true;

    PostRecv(Qp queuePair, List<IbvRecvWR> list) throws IOException {
        VerbsQueuePair open = queuePair.open(WHAT);
        this.queuePair = queuePair;
        int most = open.device().maxScatters();
        int elements = 0;
        for (int i = 0; i < list.size(); i++) {
            elements += check(i, list.get(i), open.number(), most);
        }
        chain = new ReceiveChain(open, list.size(), elements);
        receives = new ArrayList<>(list.size());
        for (IbvRecvWR receive : list) {
            int i = chain.size();
            chain.add(receive.getWr_id());
            for (IbvSge range : ranges(receive)) {
                chain.addElement(range.getAddr(), range.getLength(), range.getLkey());
            }
            receives.add(() -> chain.id(i));
        }
    }

    private static int check(int i, IbvRecvWR receive, int number, int most) throws IOException {
        List<IbvSge> ranges = ranges(receive);
        boolean negative = ranges.stream().anyMatch(range -> range.getLength() < 0);
        if (negative || ranges.size() > most) {
            throw Failures.io(RdmaError.INVALID_ARGUMENT, WHAT + ": receive " + i + " for queue pair " + number + ": "
                    + (negative ? "an element has a negative length"
                            : "it has " + ranges.size() + " elements, the device takes " + most)
                    + "; nothing was posted");
        }
        return ranges.size();
    }

    private static List<IbvSge> ranges(IbvRecvWR receive) {
        List<IbvSge> ranges = receive.getSg_list();
        return ranges == null ? List.of() : ranges;
    }

    @Override
    public SVCPostRecv execute() throws IOException {
        demandValid();
        queuePair.open(WHAT);
        PostStatus status = chain.post();
        if (status != PostStatus.POSTED) {
            queuePair.check(status, WHAT, chain.taken(), chain.size());
        }
        return this;
    }

    private void demandValid() throws IOException {
        if (!valid) {
            throw Failures.io(RdmaError.CLOSED, WHAT + ": the call was freed");
        }
    }

    @Override
    public boolean isValid() {
        return valid;
    }

    @Override
    public SVCPostRecv free() {
        valid = false;
        return this;
    }

    @Override
    public RecvWRMod getWrMod(int i) throws IOException {
        demandValid();
        return receives.get(i);
    }
}
