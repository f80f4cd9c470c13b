package io.leasehold.rdma.internal.verbs;

/// The exported functions of librdmacm, with pointers as `long`. Tests stand in for it.
///
/// Each throws [NativeFailure] when the function fails.
interface CmLibrary {
    long createEventChannel();

    void destroyEventChannel(long channel);

    long createId(long channel);

    /// Waits until all events of the id have been acknowledged.
    void destroyId(long id);

    void bindAddr(long id, long address);

    void listen(long id, int backlog);

    /// @param source `sockaddr *` or 0
    void resolveAddr(long id, long source, long destination, int timeoutMillis);

    void resolveRoute(long id, int timeoutMillis);

    void connect(long id, long parameters);

    void accept(long id, long parameters);

    void reject(long id, long privateData, int length);

    void establish(long id);

    void disconnect(long id);

    /// Fills in what `modify_qp` needs for the state that is in `attributes`.
    ///
    /// @param mask where the mask goes, an int
    void initQpAttr(long id, long attributes, long mask);

    /// Takes an event that is known to be there, or fails with `EAGAIN`.
    ///
    /// @return `rdma_cm_event *`, good until it is acknowledged
    long getCmEvent(long channel);

    void ackCmEvent(long event);

    /// The name of the device of an `ibv_context`.
    String deviceName(long context);
}
