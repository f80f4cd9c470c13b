package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.util.ArrayList;
import java.util.List;

/// The libibverbs that is installed on the machine.
final class SystemVerbsLibrary implements VerbsLibrary {
    private static final String NAME = "libibverbs.so.1";
    private static final String INSTALL = "install it with 'apt-get install libibverbs1 ibverbs-providers' (Debian, Ubuntu) or "
            + "'dnf install libibverbs' (Fedora, RHEL)";

    private final CFunction getDeviceList;
    private final CFunction freeDeviceList;
    private final CFunction getDeviceName;
    private final CFunction openDevice;
    private final CFunction closeDevice;
    private final CFunction queryDevice;
    private final CFunction queryPort;
    private final CFunction queryGidTable;
    private final CFunction allocPd;
    private final CFunction deallocPd;
    private final CFunction regMr;
    private final CFunction deregMr;
    private final CFunction createCompChannel;
    private final CFunction destroyCompChannel;
    private final CFunction createCq;
    private final CFunction destroyCq;
    private final CFunction getCqEvent;
    private final CFunction ackCqEvents;
    private final CFunction createQp;
    private final CFunction modifyQp;
    private final CFunction queryQp;
    private final CFunction destroyQp;
    private final CFunction getAsyncEvent;
    private final CFunction ackAsyncEvent;
    private long list;

    private SystemVerbsLibrary(SymbolLookup library) {
        getDeviceList = find(library, "ibv_get_device_list", "pp");
        freeDeviceList = find(library, "ibv_free_device_list", "vp");
        getDeviceName = find(library, "ibv_get_device_name", "pp");
        openDevice = find(library, "ibv_open_device", "pp");
        closeDevice = find(library, "ibv_close_device", "ip");
        queryDevice = find(library, "ibv_query_device", "ipp");
        queryPort = find(library, "ibv_query_port", "ipbp");
        queryGidTable = find(library, "_ibv_query_gid_table", "ppppip");
        allocPd = find(library, "ibv_alloc_pd", "pp");
        deallocPd = find(library, "ibv_dealloc_pd", "ip");
        regMr = find(library, "ibv_reg_mr", "ppppi");
        deregMr = find(library, "ibv_dereg_mr", "ip");
        createCompChannel = find(library, "ibv_create_comp_channel", "pp");
        destroyCompChannel = find(library, "ibv_destroy_comp_channel", "ip");
        createCq = find(library, "ibv_create_cq", "ppippi");
        destroyCq = find(library, "ibv_destroy_cq", "ip");
        getCqEvent = find(library, "ibv_get_cq_event", "ippp");
        ackCqEvents = find(library, "ibv_ack_cq_events", "vpi");
        createQp = find(library, "ibv_create_qp", "ppp");
        modifyQp = find(library, "ibv_modify_qp", "ippi");
        queryQp = find(library, "ibv_query_qp", "ippip");
        destroyQp = find(library, "ibv_destroy_qp", "ip");
        getAsyncEvent = find(library, "ibv_get_async_event", "ipp");
        ackAsyncEvent = find(library, "ibv_ack_async_event", "vp");
    }

    /// Loads the library, for good.
    ///
    /// @throws RdmaException with [RdmaError#UNSUPPORTED] if it is not installed or too old, or this is no 64-bit Linux
    static SystemVerbsLibrary load() {
        return load(NAME);
    }

    // Calling C is the purpose of this package.
    @SuppressWarnings("restricted")
    static SystemVerbsLibrary load(String name) {
        String machine = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
        if (!List.of("Linux on amd64", "Linux on aarch64").contains(machine)) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "no RDMA on this machine: " + machine
                    + " is not supported; use Linux on x86-64 or aarch64, or the provider 'soft'");
        }
        SymbolLookup library;
        try {
            library = SymbolLookup.libraryLookup(name, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "no RDMA on this machine: " + name + " is not installed; " + INSTALL
                    + ", or use the provider 'soft'");
        } catch (IllegalCallerException e) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "no RDMA in this JVM: it may not call " + name
                    + "; start it with --enable-native-access=io.leasehold.rdma (or ALL-UNNAMED on the class path)");
        }
        return new SystemVerbsLibrary(library);
    }

    private static CFunction find(SymbolLookup library, String name, String signature) {
        return CFunction.find(library, name, CFunction.descriptor(signature)).orElseThrow(() -> new RdmaException(
                RdmaError.UNSUPPORTED, "no RDMA on this machine: " + NAME + " has no " + name + ", it is too old; " + INSTALL));
    }

    @Override
    public boolean allowsCritical() {
        return true;
    }

    @Override
    public List<ListedDevice> listDevices() {
        list = getDeviceList.pointer(0L);
        List<ListedDevice> devices = new ArrayList<>();
        for (long at = list; RawMemory.getLong(at) != 0; at += Long.BYTES) {
            long device = RawMemory.getLong(at);
            devices.add(new ListedDevice(RawMemory.getString(getDeviceName.pointer(device)), device));
        }
        return devices;
    }

    @Override
    public void freeDevices() {
        if (list != 0) {
            freeDeviceList.run(list);
            list = 0;
        }
    }

    @Override
    public long openDevice(long device) {
        return openDevice.pointer(device);
    }

    @Override
    public void closeDevice(long context) {
        closeDevice.status(context);
    }

    @Override
    public void queryDevice(long context, long attributes) {
        queryDevice.status(context, attributes);
    }

    @Override
    public void queryPort(long context, int port, long attributes) {
        queryPort.status(context, (byte) port, attributes);
    }

    @Override
    public int queryGidTable(long context, long entries, int most) {
        long count = queryGidTable.number(context, entries, (long) most, 0, (long) Abi.GidEntry.BYTES);
        return (int) count;
    }

    @Override
    public long allocPd(long context) {
        return allocPd.pointer(context);
    }

    @Override
    public void deallocPd(long domain) {
        deallocPd.status(domain);
    }

    @Override
    public long regMr(long domain, long address, long lengthBytes, int access) {
        return regMr.pointer(domain, address, lengthBytes, access);
    }

    @Override
    public void deregMr(long region) {
        deregMr.status(region);
    }

    @Override
    public long createCompChannel(long context) {
        return createCompChannel.pointer(context);
    }

    @Override
    public void destroyCompChannel(long channel) {
        destroyCompChannel.status(channel);
    }

    @Override
    public long createCq(long context, int entries, long cookie, long channel) {
        return createCq.pointer(context, entries, cookie, channel, 0);
    }

    @Override
    public void destroyCq(long queue) {
        destroyCq.status(queue);
    }

    @Override
    public void getCqEvent(long channel, long out) {
        getCqEvent.status(channel, out, out + Long.BYTES);
    }

    @Override
    public void ackCqEvents(long queue, int count) {
        ackCqEvents.run(queue, count);
    }

    @Override
    public long createQp(long domain, long initAttributes) {
        return createQp.pointer(domain, initAttributes);
    }

    @Override
    public void modifyQp(long queuePair, long attributes, int mask) {
        modifyQp.status(queuePair, attributes, mask);
    }

    @Override
    public void queryQp(long queuePair, long attributes, int mask, long initAttributes) {
        queryQp.status(queuePair, attributes, mask, initAttributes);
    }

    @Override
    public void destroyQp(long queuePair) {
        destroyQp.status(queuePair);
    }

    @Override
    public void getAsyncEvent(long context, long event) {
        getAsyncEvent.status(context, event);
    }

    @Override
    public void ackAsyncEvent(long event) {
        ackAsyncEvent.run(event);
    }
}
