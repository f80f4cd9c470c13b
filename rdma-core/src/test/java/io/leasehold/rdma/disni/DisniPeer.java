package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmEvent.EventType;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import com.ibm.disni.verbs.RdmaEventChannel;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCPostSend;
import com.ibm.disni.verbs.SVCReqNotify;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedList;

/// One end of a connection, as a program for DiSNI is written: of Leasehold it knows nothing.
final class DisniPeer implements AutoCloseable {
    static final int PATIENCE_MILLIS = 30_000;
    static final int BUFFER_BYTES = 4096;
    private static final int ENTRIES = 16;

    final RdmaEventChannel channel;
    RdmaCmId listener;
    RdmaCmId id;
    IbvContext context;
    IbvPd pd;
    IbvCompChannel compChannel;
    IbvCQ cq;
    IbvQP qp;
    IbvMr mr;
    long address;
    RdmaCmEvent request;
    final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.nativeOrder());
    private final IbvWC[] completions = new IbvWC[ENTRIES];
    private SVCPollCq poll;
    private SVCReqNotify notify;

    DisniPeer() throws IOException {
        channel = RdmaEventChannel.createEventChannel();
        for (int i = 0; i < ENTRIES; i++) {
            completions[i] = new IbvWC();
        }
    }

    RdmaCmEvent expect(EventType type) throws IOException {
        RdmaCmEvent event = channel.getCmEvent(PATIENCE_MILLIS);
        if (event == null) {
            throw new IOException("no " + type + " in time");
        }
        if (event.getEvent() != type.ordinal()) {
            throw new IOException("not " + type + " but " + EventType.values()[event.getEvent()] + " with status "
                    + event.getStatus());
        }
        event.ackEvent();
        return event;
    }

    // ---- connecting

    InetSocketAddress listen(InetSocketAddress at) throws IOException {
        listener = channel.createId(RdmaCm.RDMA_PS_TCP);
        listener.bindAddr(at);
        listener.listen(10);
        return (InetSocketAddress) listener.getSource();
    }

    /// Takes in the next request and makes what a connection needs, with one receive posted.
    void meet() throws IOException {
        request = expect(EventType.RDMA_CM_EVENT_CONNECT_REQUEST);
        id = request.getConnIdPriv();
        prepare();
    }

    void accept(RdmaConnParam parameters) throws IOException {
        id.accept(parameters);
        expect(EventType.RDMA_CM_EVENT_ESTABLISHED);
    }

    void resolve(InetSocketAddress server) throws IOException {
        id = channel.createId(RdmaCm.RDMA_PS_TCP);
        id.resolveAddr(null, server, PATIENCE_MILLIS);
        expect(EventType.RDMA_CM_EVENT_ADDR_RESOLVED);
        id.resolveRoute(PATIENCE_MILLIS);
        expect(EventType.RDMA_CM_EVENT_ROUTE_RESOLVED);
        prepare();
    }

    void connect(InetSocketAddress server, RdmaConnParam parameters) throws IOException {
        resolve(server);
        id.connect(parameters);
        expect(EventType.RDMA_CM_EVENT_ESTABLISHED);
    }

    private void prepare() throws IOException {
        context = id.getVerbs();
        pd = context.allocPd();
        compChannel = context.createCompChannel();
        cq = context.createCQ(compChannel, 64, 0);
        notify = cq.reqNotification(false);
        notify.execute();
        poll = cq.poll(completions, ENTRIES);
        IbvQPInitAttr attributes = new IbvQPInitAttr();
        attributes.cap().setMax_send_wr(16);
        attributes.cap().setMax_recv_wr(16);
        attributes.cap().setMax_send_sge(2);
        attributes.cap().setMax_recv_sge(2);
        attributes.cap().setMax_inline_data(64);
        attributes.setQp_type(IbvQP.IBV_QPT_RC);
        attributes.setSend_cq(cq);
        attributes.setRecv_cq(cq);
        qp = id.createQP(pd, attributes);
        mr = pd.regMr(buffer, IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ
                | IbvMr.IBV_ACCESS_REMOTE_ATOMIC | IbvMr.IBV_ACCESS_MW_BIND).execute().free().getMr();
        address = mr.getAddr();
    }

    // ---- requests

    LinkedList<IbvSge> range(int offset, int length) {
        IbvSge range = new IbvSge();
        range.setAddr(address + offset);
        range.setLength(length);
        range.setLkey(mr.getLkey());
        LinkedList<IbvSge> ranges = new LinkedList<>();
        ranges.add(range);
        return ranges;
    }

    IbvSendWR request(long wrId, int opcode, int offset, int length) {
        IbvSendWR request = new IbvSendWR();
        request.setWr_id(wrId);
        request.setOpcode(opcode);
        request.setSend_flags(IbvSendWR.IBV_SEND_SIGNALED);
        request.setSg_list(range(offset, length));
        request.setNum_sge(1);
        return request;
    }

    IbvSendWR rdma(long wrId, int opcode, int offset, int length, long remoteAddress, int rkey) {
        IbvSendWR request = request(wrId, opcode, offset, length);
        request.getRdma().setRemote_addr(remoteAddress);
        request.getRdma().setRkey(rkey);
        return request;
    }

    void post(IbvSendWR... requests) throws IOException {
        LinkedList<IbvSendWR> list = new LinkedList<>();
        for (IbvSendWR request : requests) {
            list.add(request);
        }
        SVCPostSend call = qp.postSend(list, null);
        call.execute().free();
    }

    void receive(long wrId, int offset, int length) throws IOException {
        IbvRecvWR receive = new IbvRecvWR();
        receive.setWr_id(wrId);
        receive.setSg_list(range(offset, length));
        receive.setNum_sge(1);
        LinkedList<IbvRecvWR> list = new LinkedList<>();
        list.add(receive);
        qp.postRecv(list, null).execute().free();
    }

    /// Waits for the next completion by an event, as DiSNI's examples do.
    IbvWC complete() throws IOException {
        long deadline = System.nanoTime() + PATIENCE_MILLIS * 1_000_000L;
        IbvWC[] one = {new IbvWC()};
        SVCPollCq single = cq.poll(one, 1);
        while (single.execute().getPolls() == 0) {
            if (!compChannel.getCqEvent(cq, PATIENCE_MILLIS) || System.nanoTime() > deadline) {
                throw new IOException("no completion in time");
            }
            cq.ackEvents(1);
            notify.execute();
        }
        single.free();
        return one[0];
    }

    IbvWC succeed(long wrId) throws IOException {
        IbvWC completion = complete();
        if (completion.getStatus() != IbvWC.IbvWcStatus.IBV_WC_SUCCESS.ordinal() || completion.getWr_id() != wrId) {
            throw new IOException("request " + completion.getWr_id() + " ended with status " + completion.getStatus()
                    + " where " + wrId + " was to succeed");
        }
        return completion;
    }

    int drain() throws IOException {
        return poll.execute().getPolls();
    }

    // ---- the end

    /// Ends the connection and frees what it needed, in the order that verbs ask for.
    void hangUp() throws IOException {
        if (id != null) {
            if (qp != null) {
                id.disconnect();
                id.destroyQP();
            }
            if (mr != null) {
                mr.deregMr().execute().free();
            }
            if (cq != null) {
                cq.destroyCQ();
                compChannel.destroyCompChannel();
                free();
            }
            id.destroyId();
        }
        id = null;
    }

    private void free() throws IOException {
        try {
            pd.deallocPd();
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException("its signature says so", e);
        }
    }

    @Override
    public void close() throws IOException {
        hangUp();
        if (listener != null) {
            listener.destroyId();
        }
        channel.destroyEventChannel();
    }
}
