package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPCap;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmId;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.verbs.CmId;
import io.leasehold.rdma.internal.verbs.VerbsDevice;
import io.leasehold.rdma.internal.verbs.VerbsProtectionDomain;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// An id of the connection manager.
final class Id extends RdmaCmId {
    /// What DiSNI's own provider gives a queue pair, whatever is asked for.
    private static final int SCATTERS = 4;

    private final CmId id;
    private final Devices devices;

    Id(EventChannel channel, CmId id) throws IOException {
        super(channel, null);
        this.id = id;
        devices = channel.devices();
        ps = RdmaCm.RDMA_PS_TCP;
        id.context(this);
    }

    CmId id() {
        return id;
    }

    /// The context of its device, opened at the first use; `null` before it belongs to one.
    @Override
    public @Nullable IbvContext getVerbs() throws IOException {
        try {
            String name = id.deviceName();
            if (name == null) {
                return null;
            }
            Context context = devices.context(name);
            setVerbs(context);
            return context;
        } catch (RdmaException e) {
            throw Failures.io(e);
        }
    }

    @Override
    public byte getPort_num() {
        return (byte) id.port();
    }

    synchronized IbvQP createQueuePair(IbvPd domain, IbvQPInitAttr wanted) throws IOException {
        Pd own = Failures.own(Pd.class, domain);
        VerbsProtectionDomain open = own.open("createQP");
        Cq sends = Failures.own(Cq.class, wanted.getSend_cq());
        Cq receives = Failures.own(Cq.class, wanted.getRecv_cq());
        if (wanted.getQp_type() != IbvQP.IBV_QPT_RC || wanted.getSrq() != 0) {
            throw Failures.io(RdmaError.UNSUPPORTED, "createQP: qp_type " + wanted.getQp_type() + ", srq " + wanted.getSrq()
                    + "; only reliable connections (IBV_QPT_RC, " + IbvQP.IBV_QPT_RC + ") without a shared receive queue are offered");
        }
        VerbsDevice device = ((Context) own.getContext()).open("createQP");
        IbvQPCap cap = wanted.cap();
        var options = QueuePairOptions.of(sends.open("createQP"), receives.open("createQP"))
                .withDepth(Math.max(1, cap.getMax_send_wr()), Math.max(1, cap.getMax_recv_wr()))
                .withMaxInlineBytes(cap.getMax_inline_data())
                .withMaxReadAtomic(device.attributes().maxReadAtomic());
        var made = Failures.get(() -> id.createQueuePair(open, options, scatters(cap.getMax_send_sge(), device),
                scatters(cap.getMax_recv_sge(), device)));
        var queuePair = new Qp(made, own, sends, receives, wanted.getSq_sig_all() != 0);
        setQp(queuePair);
        return queuePair;
    }

    private static int scatters(int asked, VerbsDevice device) {
        return asked > 0 ? asked : Math.min(SCATTERS, device.maxScatters());
    }

    synchronized void destroyQueuePair() throws IOException {
        Failures.run(id::destroyQueuePair);
        IbvQP queuePair = getQp();
        if (queuePair != null) {
            queuePair.close();
            setQp(null);
        }
    }

    void destroy() throws IOException {
        Failures.run(id::destroy);
        close();
    }
}
