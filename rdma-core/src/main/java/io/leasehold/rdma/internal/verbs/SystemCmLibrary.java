package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;

/// The librdmacm that is installed on the machine.
final class SystemCmLibrary implements CmLibrary {
    private static final String NAME = "librdmacm.so.1";
    /// `RDMA_PS_TCP`: reliable connections.
    static final int PORT_SPACE_TCP = 0x0106;
    private static final String VERBS = "libibverbs.so.1";
    private static final String INSTALL = "install it with 'apt-get install librdmacm1' (Debian, Ubuntu) or 'dnf install librdmacm' "
            + "(Fedora, RHEL)";

    private final CFunction createEventChannel;
    private final CFunction destroyEventChannel;
    private final CFunction createId;
    private final CFunction destroyId;
    private final CFunction bindAddr;
    private final CFunction listen;
    private final CFunction resolveAddr;
    private final CFunction resolveRoute;
    private final CFunction connect;
    private final CFunction accept;
    private final CFunction reject;
    private final CFunction establish;
    private final CFunction disconnect;
    private final CFunction initQpAttr;
    private final CFunction getCmEvent;
    private final CFunction ackCmEvent;
    private final CFunction getDeviceName;

    private SystemCmLibrary(SymbolLookup library, SymbolLookup verbs) {
        createEventChannel = find(library, "rdma_create_event_channel", "p");
        destroyEventChannel = find(library, "rdma_destroy_event_channel", "vp");
        createId = find(library, "rdma_create_id", "ipppi");
        destroyId = find(library, "rdma_destroy_id", "ip");
        bindAddr = find(library, "rdma_bind_addr", "ipp");
        listen = find(library, "rdma_listen", "ipi");
        resolveAddr = find(library, "rdma_resolve_addr", "ipppi");
        resolveRoute = find(library, "rdma_resolve_route", "ipi");
        connect = find(library, "rdma_connect", "ipp");
        accept = find(library, "rdma_accept", "ipp");
        reject = find(library, "rdma_reject", "ippb");
        establish = find(library, "rdma_establish", "ip");
        disconnect = find(library, "rdma_disconnect", "ip");
        initQpAttr = find(library, "rdma_init_qp_attr", "ippp");
        getCmEvent = find(library, "rdma_get_cm_event", "ipp");
        ackCmEvent = find(library, "rdma_ack_cm_event", "ip");
        getDeviceName = find(verbs, "ibv_get_device_name", "pp");
    }

    /// Loads the library, for good.
    ///
    /// @throws RdmaException with [RdmaError#UNSUPPORTED] if it is not installed or too old, or this is no 64-bit Linux
    static SystemCmLibrary load() {
        return load(NAME);
    }

    // Calling C is the purpose of this package.
    @SuppressWarnings("restricted")
    static SystemCmLibrary load(String name) {
        // Says what is wrong with the machine, or the JVM.
        SystemVerbsLibrary.load();
        try {
            return new SystemCmLibrary(SymbolLookup.libraryLookup(name, Arena.global()),
                    SymbolLookup.libraryLookup(VERBS, Arena.global()));
        } catch (IllegalArgumentException e) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "no RDMA-CM on this machine: " + name + " is not installed; " + INSTALL);
        }
    }

    private static CFunction find(SymbolLookup library, String name, String signature) {
        return CFunction.find(library, name, CFunction.descriptor(signature)).orElseThrow(() -> new RdmaException(
                RdmaError.UNSUPPORTED, "no RDMA-CM on this machine: " + NAME + " has no " + name + ", it is too old; " + INSTALL));
    }

    @Override
    public long createEventChannel() {
        return createEventChannel.pointer();
    }

    @Override
    public void destroyEventChannel(long channel) {
        destroyEventChannel.run(channel);
    }

    @Override
    public long createId(long channel) {
        try (Scratch scratch = new Scratch()) {
            long out = scratch.allocate(Long.BYTES);
            createId.status(channel, out, 0L, PORT_SPACE_TCP);
            return RawMemory.getLong(out);
        }
    }

    @Override
    public void destroyId(long id) {
        destroyId.status(id);
    }

    @Override
    public void bindAddr(long id, long address) {
        bindAddr.status(id, address);
    }

    @Override
    public void listen(long id, int backlog) {
        listen.status(id, backlog);
    }

    @Override
    public void resolveAddr(long id, long source, long destination, int timeoutMillis) {
        resolveAddr.status(id, source, destination, timeoutMillis);
    }

    @Override
    public void resolveRoute(long id, int timeoutMillis) {
        resolveRoute.status(id, timeoutMillis);
    }

    @Override
    public void connect(long id, long parameters) {
        connect.status(id, parameters);
    }

    @Override
    public void accept(long id, long parameters) {
        accept.status(id, parameters);
    }

    @Override
    public void reject(long id, long privateData, int length) {
        reject.status(id, privateData, (byte) length);
    }

    @Override
    public void establish(long id) {
        establish.status(id);
    }

    @Override
    public void disconnect(long id) {
        disconnect.status(id);
    }

    @Override
    public void initQpAttr(long id, long attributes, long mask) {
        initQpAttr.status(id, attributes, mask);
    }

    @Override
    public long getCmEvent(long channel) {
        try (Scratch scratch = new Scratch()) {
            long out = scratch.allocate(Long.BYTES);
            getCmEvent.status(channel, out);
            return RawMemory.getLong(out);
        }
    }

    @Override
    public void ackCmEvent(long event) {
        ackCmEvent.status(event);
    }

    @Override
    public String deviceName(long context) {
        return RawMemory.getString(getDeviceName.pointer(RawMemory.getLong(context + Abi.Context.DEVICE)));
    }
}
