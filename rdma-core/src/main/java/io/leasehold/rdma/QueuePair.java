package io.leasehold.rdma;

import java.time.Duration;

/// A reliable-connected queue pair: requests posted to it are carried out in order at one peer.
///
/// Life: created in [QueuePairState#RESET]; either [#connect] / [ConnectionRequest#accept] take it to [QueuePairState#RTS] (the
/// connection-manager way), or its owner exchanges [#address()] by other means and calls [#toInit], [#toReadyToReceive] and
/// [#toReadyToSend] (the raw way). After an error it is in [QueuePairState#ERR]; [#toReset] starts over. Thread-safe.
public interface QueuePair extends AutoCloseable {
    /// The number that names this queue pair on its device.
    int number();

    /// The state now.
    QueuePairState state();

    /// What a peer needs to know to connect the raw way.
    QueuePairAddress address();

    /// The address of the connected peer, or `null` before there is one.
    @org.jspecify.annotations.Nullable QueuePairAddress remoteAddress();

    /// A new reusable builder of send-queue requests for this queue pair. Any number may exist; each is for one thread at a time.
    SendBatch newSendBatch();

    /// Posts one receive of up to `lengthBytes` into `region` from `offset`.
    PostStatus postReceive(long id, MemoryRegion region, long offset, int lengthBytes);

    /// RESET to INIT.
    ///
    /// @throws RdmaException with [RdmaError#INVALID_STATE] from any other state; so for all transitions below
    void toInit();

    /// INIT to RTR: incoming requests of `remote` are served from now on. On a link that needs a connection the side whose
    /// address is the smaller opens it.
    void toReadyToReceive(QueuePairAddress remote);

    /// RTR or SQD to RTS. Waits until the link is up.
    ///
    /// @throws RdmaException with [RdmaError#UNREACHABLE] or [RdmaError#TIMEOUT] if it does not come up within `timeout`
    void toReadyToSend(Duration timeout);

    /// RTS to SQD: what was posted is carried out, what is posted from now on waits for [#toReadyToSend].
    void toSendQueueDrained();

    /// Any state to ERR: everything outstanding is flushed, what was on the way with [WorkCompletionStatus#RETRY_EXC_ERR], for it
    /// may have been carried out. The connection ends, and the peer goes to ERR as well. When it returns no request that arrived
    /// through this queue pair can take effect any more.
    void toError();

    /// Any state to RESET: everything outstanding is dropped, without completions. The connection ends, as with [#toError].
    void toReset();

    /// Takes a fresh (RESET or INIT) queue pair to RTS by asking the listener at `remote`.
    ///
    /// @param privateData up to [DeviceAttributes#maxPrivateDataBytes()] bytes that the listener sees before it answers
    /// @return the private data of the listener's answer
    /// @throws RdmaException with [RdmaError#REJECTED], [RdmaError#UNREACHABLE], [RdmaError#TIMEOUT] or [RdmaError#PROTOCOL]; the
    ///         message names the peer, the phase and the time spent, and the queue pair is back in RESET
    byte[] connect(EndpointAddress remote, byte[] privateData, Duration timeout);

    /// Disconnects and frees the queue pair; outstanding requests are dropped without completions, and the peer goes to ERR. When
    /// it returns no request that arrived through it can take effect any more. Closing twice is harmless.
    @Override
    void close();
}
