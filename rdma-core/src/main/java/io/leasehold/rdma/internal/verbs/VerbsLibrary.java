package io.leasehold.rdma.internal.verbs;

import java.util.List;

/// The control path: the exported functions of libibverbs, with pointers as `long`. Tests stand in for it; the data path goes by
/// the function pointers of the context in any case, see [ContextOperations].
///
/// Each throws [NativeFailure] when the function fails.
interface VerbsLibrary {
    /// A device that the library lists.
    ///
    /// @param name its name
    /// @param pointer `ibv_device *`, good until [#freeDevices]
    record ListedDevice(String name, long pointer) {
    }

    /// Whether the data path below it may be called without the JVM being able to stop the thread; not if it calls Java back.
    boolean allowsCritical();

    List<ListedDevice> listDevices();

    void freeDevices();

    long openDevice(long device);

    void closeDevice(long context);

    void queryDevice(long context, long attributes);

    void queryPort(long context, int port, long attributes);

    /// @return the number of entries filled in
    int queryGidTable(long context, long entries, int most);

    long allocPd(long context);

    void deallocPd(long domain);

    long regMr(long domain, long address, long lengthBytes, int access);

    void deregMr(long region);

    long createCompChannel(long context);

    void destroyCompChannel(long channel);

    long createCq(long context, int entries, long cookie, long channel);

    void destroyCq(long queue);

    /// Takes an event that is known to be there.
    ///
    /// @param out room for two pointers: the queue, its cookie
    void getCqEvent(long channel, long out);

    void ackCqEvents(long queue, int count);

    long createQp(long domain, long initAttributes);

    void modifyQp(long queuePair, long attributes, int mask);

    void queryQp(long queuePair, long attributes, int mask, long initAttributes);

    void destroyQp(long queuePair);

    /// Takes an event that is known to be there.
    void getAsyncEvent(long context, long event);

    void ackAsyncEvent(long event);
}
