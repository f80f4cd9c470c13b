package io.leasehold.rdma.internal.soft;

/// Where the frames of one connection are put for the peer. Guarded by the send lock of its queue pair.
///
/// Nobody ever waits here. Requests are put in as far as there is room for requests, the rest stays in the send queue. Answers
/// always find room: a requester never has more than [#readWindow] bytes and [SoftDevice#MAX_READ_ATOMIC] requests to be answered
/// with data on the way, and acknowledgements add up to one; a peer that asks for more has violated the protocol.
sealed interface FrameOutput permits TcpOutput, RingOutput {
    /// The longest payload of a frame.
    int segmentBytes();

    /// How many bytes of READs may be on the way in one direction.
    int readWindow();

    /// Whether a request with so long a payload may be put now.
    boolean hasRoomForRequest(int payload);

    /// Makes room for a frame; the payload is the caller's to fill in, from [#payloadAddress] of the answer, before [#commit]. A
    /// frame that is not committed leaves no trace.
    ///
    /// @return where the frame begins, or -1 if there is no room even for an answer
    int reserve(int payload);

    /// Where the payload of a reserved frame lies.
    long payloadAddress(int at);

    /// Writes the header of a reserved frame and lets it go.
    void commit(int at, int type, int payload, int sequence, int key, long target, long first, long second);

    /// Puts a frame without payload.
    ///
    /// @return whether there was room
    default boolean put(int type, int sequence, int key, long first) {
        int at = reserve(0);
        if (at < 0) {
            return false;
        }
        commit(at, type, 0, sequence, key, 0, first, 0);
        return true;
    }
}
