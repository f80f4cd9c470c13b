package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.RdmaVerbs;
import com.ibm.disni.verbs.SVCDeregMr;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCPostRecv;
import com.ibm.disni.verbs.SVCPostSend;
import com.ibm.disni.verbs.SVCRegMr;
import com.ibm.disni.verbs.SVCReqNotify;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.VerbsCompletionQueue;
import io.leasehold.rdma.internal.verbs.VerbsDevice;
import io.leasehold.rdma.internal.verbs.VerbsProtectionDomain;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The verbs of DiSNI, each carried out by Leasehold's object of the same name.
final class Verbs extends RdmaVerbs {
    private static final int UNSUPPORTED = -1;

    @Override
    public IbvPd allocPd(IbvContext context) throws IOException {
        Context own = Failures.own(Context.class, context);
        VerbsDevice device = own.open("allocPd");
        return new Pd(own, (VerbsProtectionDomain) Failures.get(device::allocateProtectionDomain));
    }

    @Override
    public IbvCompChannel createCompChannel(IbvContext context) throws IOException {
        Context own = Failures.own(Context.class, context);
        own.open("createCompChannel");
        return new CompChannel(own);
    }

    /// @param channel may be `null`: then there are no notifications
    /// @param vector checked, and otherwise no matter: one thread of the device takes all events
    @Override
    public IbvCQ createCQ(IbvContext context, @Nullable IbvCompChannel channel, int entries, int vector) throws IOException {
        Context own = Failures.own(Context.class, context);
        VerbsDevice device = own.open("createCQ");
        if (vector < 0 || vector >= device.completionVectors()) {
            throw Failures.io(RdmaError.INVALID_ARGUMENT, "createCQ: completion vector " + vector + " of "
                    + device.completionVectors());
        }
        CompChannel events = channel == null ? null : Failures.own(CompChannel.class, channel);
        if (events != null) {
            events.use();
        }
        boolean made = false;
        try {
            var queue = (VerbsCompletionQueue) Failures.get(() -> device.createCompletionQueue(entries));
            made = true;
            return new Cq(own, events, queue);
        } finally {
            if (!made && events != null) {
                events.unuse();
            }
        }
    }

    /// Waits for an event of any queue of the channel, as DiSNI does.
    ///
    /// @param timeoutMillis how long at most; negative for until the channel is closed
    /// @return whether there was one in time
    @Override
    public boolean getCqEvent(IbvCompChannel channel, IbvCQ queue, int timeoutMillis) throws IOException {
        return Failures.own(CompChannel.class, channel).await(timeoutMillis);
    }

    /// Registers the whole buffer, whatever its position and limit.
    @Override
    public SVCRegMr regMr(IbvPd domain, ByteBuffer buffer, int access) throws IOException {
        if (!buffer.isDirect()) {
            throw Failures.io(RdmaError.INVALID_ARGUMENT, "regMr: the buffer is not direct; use ByteBuffer.allocateDirect");
        }
        return new Calls.RegMr(Failures.own(Pd.class, domain), MemorySegment.ofBuffer(buffer.duplicate().clear()), access);
    }

    // The program names memory by its address: that it exists, and for how long, it alone knows.
    @SuppressWarnings("restricted")
    @Override
    public SVCRegMr regMr(IbvPd domain, long address, int length, int access) throws IOException {
        if (address == 0 || length <= 0) {
            throw Failures.io(RdmaError.INVALID_ARGUMENT, "regMr: " + length + " bytes at 0x" + Long.toHexString(address));
        }
        return new Calls.RegMr(Failures.own(Pd.class, domain), MemorySegment.ofAddress(address).reinterpret(length), access);
    }

    /// Not offered: regions are locked in memory.
    @Override
    public int queryOdpSupport(IbvContext context) {
        return UNSUPPORTED;
    }

    /// Not offered: regions are locked in memory.
    @Override
    public int expPrefetchMr(IbvMr region, long address, int length) {
        return UNSUPPORTED;
    }

    @Override
    public SVCDeregMr deregMr(IbvMr region) throws IOException {
        return new Calls.DeregMr(Failures.own(Mr.class, region));
    }

    /// @param bad not used: what is posted is all or nothing, and a failure says what
    @Override
    public SVCPostSend postSend(IbvQP queuePair, List<IbvSendWR> requests, @Nullable List<IbvSendWR> bad) throws IOException {
        return new PostSend(Failures.own(Qp.class, queuePair), requests);
    }

    /// @param bad not used: a failure says how many were posted
    @Override
    public SVCPostRecv postRecv(IbvQP queuePair, List<IbvRecvWR> receives, @Nullable List<IbvRecvWR> bad) throws IOException {
        return new PostRecv(Failures.own(Qp.class, queuePair), receives);
    }

    @Override
    public SVCPollCq pollCQ(IbvCQ queue, IbvWC[] list, int count) throws IOException {
        return new PollCq(Failures.own(Cq.class, queue), list, count);
    }

    @Override
    public SVCReqNotify reqNotifyCQ(IbvCQ queue, boolean solicitedOnly) throws IOException {
        return new Calls.ReqNotify(Failures.own(Cq.class, queue), solicitedOnly);
    }

    /// Events are acknowledged as they are taken in.
    @Override
    public int ackCqEvents(IbvCQ queue, int count) {
        return 0;
    }

    @Override
    public int destroyCompChannel(IbvCompChannel channel) throws IOException {
        Failures.own(CompChannel.class, channel).destroy();
        return 0;
    }

    @Override
    public int deallocPd(IbvPd domain) throws IOException {
        Failures.own(Pd.class, domain).free();
        return 0;
    }

    @Override
    public int destroyCQ(IbvCQ queue) throws IOException {
        Failures.own(Cq.class, queue).destroy();
        return 0;
    }
}
