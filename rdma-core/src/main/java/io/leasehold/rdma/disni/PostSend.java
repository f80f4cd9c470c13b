package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.SVCPostSend;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.SendChain;
import io.leasehold.rdma.internal.verbs.VerbsQueuePair;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// `ibv_post_send` of a list of requests, laid out once. Executing it allocates nothing.
final class PostSend extends SVCPostSend {
    private static final String WHAT = "postSend";
    private static final int BIND_MW = 8;

    private final Qp queuePair;
    private final SendChain chain;
    private final List<Request> requests;
    private boolean valid = true;

    PostSend(Qp queuePair, List<IbvSendWR> list) throws IOException {
        VerbsQueuePair open = queuePair.open(WHAT);
        this.queuePair = queuePair;
        int most = open.device().maxScatters();
        int elements = 0;
        for (int i = 0; i < list.size(); i++) {
            elements += check(i, list.get(i), open.number(), most);
        }
        chain = new SendChain(open, list.size(), elements);
        requests = new ArrayList<>(list.size());
        for (IbvSendWR request : list) {
            add(request);
        }
    }

    /// @return how many local ranges the request has
    private static int check(int i, IbvSendWR request, int number, int most) throws IOException {
        int opcode = request.getOpcode();
        if (!SendChain.allows(opcode)) {
            throw refused(i, number, "opcode " + opcode + (opcode == BIND_MW
                    ? " (BIND_MW) needs more than a request of DiSNI can say; post it by Disni.queuePair(qp).newSendBatch()"
                    : " is none of RDMA_WRITE 0, RDMA_WRITE_WITH_IMM 1, SEND 2, SEND_WITH_IMM 3, RDMA_READ 4, "
                            + "ATOMIC_CMP_AND_SWP 5, ATOMIC_FETCH_AND_ADD 6, LOCAL_INV 7, SEND_WITH_INV 9"));
        }
        if (!SendChain.allowsFlags(request.getSend_flags())) {
            throw refused(i, number, "send_flags 0x" + Integer.toHexString(request.getSend_flags())
                    + " has bits other than FENCE 1, SIGNALED 2, SOLICITED 4 and INLINE 8");
        }
        List<IbvSge> ranges = ranges(request);
        for (IbvSge range : ranges) {
            if (range.getLength() < 0) {
                throw refused(i, number, "an element has the length " + range.getLength());
            }
        }
        if (ranges.size() > most) {
            throw refused(i, number, "it has " + ranges.size() + " elements, the device takes " + most);
        }
        if (SendChain.isAtomic(opcode) && (ranges.size() != 1 || ranges.getFirst().getLength() != Long.BYTES)) {
            throw refused(i, number, "an atomic needs one element of 8 bytes, for the previous value");
        }
        return ranges.size();
    }

    private static IOException refused(int i, int number, String why) {
        return Failures.io(RdmaError.INVALID_ARGUMENT, WHAT + ": request " + i + " for queue pair " + number + ": " + why
                + "; nothing was posted");
    }

    private static List<IbvSge> ranges(IbvSendWR request) {
        List<IbvSge> ranges = request.getSg_list();
        return ranges == null ? List.of() : ranges;
    }

    private void add(IbvSendWR request) {
        int flags = request.getSend_flags() | (queuePair.signalsAll() ? IbvSendWR.IBV_SEND_SIGNALED : 0);
        int opcode = request.getOpcode();
        int i = chain.size();
        chain.add(request.getWr_id(), opcode, flags, request.getImm_data());
        for (IbvSge range : ranges(request)) {
            chain.addElement(range.getAddr(), range.getLength(), range.getLkey());
        }
        if (SendChain.isAtomic(opcode)) {
            IbvSendWR.Atomic atomic = request.getAtomic();
            chain.remoteAddress(i, atomic.getRemote_addr());
            chain.remoteKey(i, atomic.getRkey());
            chain.operands(i, atomic.getCompare_add(), atomic.getSwap());
        } else {
            chain.remoteAddress(i, request.getRdma().getRemote_addr());
            chain.remoteKey(i, request.getRdma().getRkey());
        }
        requests.add(new Request(i));
    }

    @Override
    public SVCPostSend execute() throws IOException {
        demandValid();
        queuePair.open(WHAT);
        PostStatus status = chain.post();
        if (status != PostStatus.POSTED) {
            queuePair.check(status, WHAT, 0, chain.size());
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
    public SVCPostSend free() {
        valid = false;
        return this;
    }

    @Override
    public SendWRMod getWrMod(int i) throws IOException {
        demandValid();
        return requests.get(i);
    }

    /// Request `i`, to be read and changed between two executions.
    private final class Request implements SendWRMod, RdmaMod {
        private final int i;
        private final List<Element> elements = new ArrayList<>(1);
        private int reserved;

        Request(int i) {
            this.i = i;
            for (int j = 0; j < chain.elementCount(i); j++) {
                elements.add(new Element(i, j));
            }
        }

        @Override
        public void setWr_id(long id) {
            chain.id(i, id);
        }

        @Override
        public long getWr_id() {
            return chain.id(i);
        }

        @Override
        public void setSend_flags(int flags) {
            chain.flags(i, flags | (queuePair.signalsAll() ? IbvSendWR.IBV_SEND_SIGNALED : 0));
        }

        @Override
        public int getSend_flags() {
            return chain.flags(i);
        }

        @Override
        public int getNum_sge() {
            return chain.elementCount(i);
        }

        @Override
        public int getOpcode() {
            return chain.opcode(i);
        }

        @Override
        public RdmaMod getRdmaMod() {
            return this;
        }

        @Override
        public SgeMod getSgeMod(int j) {
            return elements.get(j);
        }

        @Override
        public void setRemote_addr(long address) {
            chain.remoteAddress(i, address);
        }

        @Override
        public long getRemote_addr() {
            return chain.remoteAddress(i);
        }

        @Override
        public void setRkey(int key) {
            chain.remoteKey(i, key);
        }

        @Override
        public int getRkey() {
            return chain.remoteKey(i);
        }

        @Override
        public void setReserved(int value) {
            reserved = value;
        }

        @Override
        public int getReserved() {
            return reserved;
        }
    }

    /// Local range `j` of request `i`.
    private final class Element implements SgeMod {
        private final int i;
        private final int j;

        Element(int i, int j) {
            this.i = i;
            this.j = j;
        }

        @Override
        public void setAddr(long address) {
            chain.element(i, j, address, getLength(), getLkey());
        }

        @Override
        public long getAddr() {
            return chain.address(i, j);
        }

        @Override
        public void setLength(int length) {
            if (length < 0 || SendChain.isAtomic(chain.opcode(i)) && length != Long.BYTES) {
                throw new IllegalArgumentException("an element of request " + i + " cannot have the length " + length);
            }
            chain.element(i, j, getAddr(), length, getLkey());
        }

        @Override
        public int getLength() {
            return chain.length(i, j);
        }

        @Override
        public void setLkey(int key) {
            chain.element(i, j, getAddr(), getLength(), key);
        }

        @Override
        public int getLkey() {
            return chain.key(i, j);
        }
    }
}
