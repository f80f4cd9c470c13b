package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import com.ibm.disni.verbs.RdmaEventChannel;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.verbs.CmChannel;
import io.leasehold.rdma.internal.verbs.CmEvent;
import io.leasehold.rdma.internal.verbs.CmId;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The connection manager of DiSNI, carried out by librdmacm. Thread-safe.
final class Cm extends RdmaCm {
    private static final Duration NO_LIMIT = Duration.ofSeconds(Long.MAX_VALUE);

    private final Devices devices;
    private final Supplier<CmChannel> opener;
    private final Set<EventChannel> channels = ConcurrentHashMap.newKeySet();

    /// @param opener opens an event channel
    Cm(Devices devices, Supplier<CmChannel> opener) {
        this.devices = devices;
        this.opener = opener;
    }

    private static CmId id(RdmaCmId id) throws IOException {
        return Failures.own(Id.class, id).id();
    }

    @Override
    public RdmaEventChannel createEventChannel() throws IOException {
        var channel = new EventChannel(Failures.get(opener), devices);
        channels.add(channel);
        return channel;
    }

    @Override
    public RdmaCmId createId(RdmaEventChannel channel, short portSpace) throws IOException {
        if (portSpace != RDMA_PS_TCP) {
            throw Failures.io(RdmaError.UNSUPPORTED,
                    "createId: port space " + portSpace + "; only RDMA_PS_TCP " + RDMA_PS_TCP + " is offered");
        }
        EventChannel own = Failures.own(EventChannel.class, channel);
        return new Id(own, Failures.get(own.channel()::newId));
    }

    @Override
    public IbvQP createQP(RdmaCmId id, IbvPd domain, IbvQPInitAttr wanted) throws IOException {
        return Failures.own(Id.class, id).createQueuePair(domain, wanted);
    }

    @Override
    public void bindAddr(RdmaCmId id, SocketAddress address) throws IOException {
        CmId own = id(id);
        Failures.run(() -> own.bind(address));
    }

    @Override
    public void listen(RdmaCmId id, int backlog) throws IOException {
        CmId own = id(id);
        Failures.run(() -> own.listen(backlog));
    }

    @Override
    public void resolveAddr(RdmaCmId id, @Nullable SocketAddress source, SocketAddress destination, int timeoutMillis)
            throws IOException {
        CmId own = id(id);
        Failures.run(() -> own.resolveAddress(source, destination, timeoutMillis));
    }

    @Override
    public void resolveRoute(RdmaCmId id, int timeoutMillis) throws IOException {
        CmId own = id(id);
        Failures.run(() -> own.resolveRoute(timeoutMillis));
    }

    /// Waits for the next event.
    ///
    /// @param timeoutMillis how long at most; negative for until there is one, the channel is destroyed or the thread is interrupted
    /// @return the event, or `null` if none has come in time, and for no other reason
    @Override
    public @Nullable RdmaCmEvent getCmEvent(RdmaEventChannel channel, int timeoutMillis) throws IOException {
        EventChannel own = Failures.own(EventChannel.class, channel);
        try {
            CmEvent event = own.channel().next(timeoutMillis < 0 ? NO_LIMIT : Duration.ofMillis(timeoutMillis));
            return event == null ? null : event(own, event);
        } catch (RdmaException e) {
            throw Failures.io(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while waiting for an RDMA-CM event").initCause(e);
        }
    }

    private Event event(EventChannel channel, CmEvent event) throws IOException {
        CmId listener = event.listener();
        Id known = (Id) event.id().context();
        return new Event(event, listener == null ? null : (Id) listener.context(),
                known != null ? known : new Id(channel, event.id()));
    }

    @Override
    public void connect(RdmaCmId id, RdmaConnParam parameters) throws IOException {
        CmId own = id(id);
        int retries = Param.retries("retry_count", parameters.getRetry_count());
        int receiverRetries = Param.retries("rnr_retry_count", parameters.getRnr_retry_count());
        Failures.run(() -> own.connect(Param.privateData(parameters), retries, receiverRetries));
    }

    @Override
    public void accept(RdmaCmId id, RdmaConnParam parameters) throws IOException {
        CmId own = id(id);
        int receiverRetries = Param.retries("rnr_retry_count", parameters.getRnr_retry_count());
        Failures.run(() -> own.accept(Param.privateData(parameters), receiverRetries));
    }

    /// Events are acknowledged as they are taken in.
    @Override
    public int ackCmEvent(RdmaCmEvent event) {
        return 0;
    }

    @Override
    public int disconnect(RdmaCmId id) throws IOException {
        Failures.run(id(id)::disconnect);
        return 0;
    }

    @Override
    public int destroyEventChannel(RdmaEventChannel channel) throws IOException {
        EventChannel own = Failures.own(EventChannel.class, channel);
        Failures.run(own.channel()::close);
        own.close();
        channels.remove(own);
        return 0;
    }

    @Override
    public int destroyCmId(RdmaCmId id) throws IOException {
        Failures.own(Id.class, id).destroy();
        return 0;
    }

    @Override
    public int destroyQP(RdmaCmId id) throws IOException {
        Failures.own(Id.class, id).destroyQueuePair();
        return 0;
    }

    @Override
    public @Nullable SocketAddress getSrcAddr(RdmaCmId id) throws IOException {
        CmId own = id(id);
        return own.ownAddress();
    }

    @Override
    public @Nullable SocketAddress getDstAddr(RdmaCmId id) throws IOException {
        CmId own = id(id);
        return own.peerAddress();
    }

    @Override
    public int destroyEp(RdmaCmId id) throws IOException {
        Id own = Failures.own(Id.class, id);
        own.destroyQueuePair();
        own.destroy();
        return 0;
    }

    int channels() {
        return channels.size();
    }

    int ids() {
        return channels.stream().mapToInt(channel -> channel.channel().ids()).sum();
    }

    /// Destroys all ids, their queue pairs and the channels.
    void close() {
        for (EventChannel channel : channels) {
            channel.channel().closeAll();
            channel.close();
            channels.remove(channel);
        }
    }
}
