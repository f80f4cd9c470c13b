package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.io.IOException;
import java.nio.ByteBuffer;

/// The responder half of a connection that carries frames: checks what the peer's frames ask for, has it carried out and puts the
/// answer into the output. Guarded by the send lock of its queue pair.
///
/// Nothing that a frame says is believed: the numbers must follow one another, the pieces of a message must fit together, lengths
/// must be those of the protocol, and whatever touches memory goes through the [Responder] with all its checks.
final class FrameResponder {
    /// Carried out, or thrown away as the protocol has it.
    static final int SERVED = 0;
    /// The queue pair is in the error state: no further request will be served.
    static final int STOPPED = 1;

    private final WorkQueues own;
    private final FrameOutput output;
    private int expected;
    private boolean inside;
    private boolean owesAcknowledgement;
    // From NOT_READY until the request comes again, everything else is from before and is thrown away.
    private boolean discarding;
    private boolean readySent;
    private int messageOffset;
    private int messageTotal;

    /// The hostile fabric breaks the connection, and the answers that are not written yet are lost.
    static final class BrokenOnPurpose extends IOException {
        private static final long serialVersionUID = 1;

        BrokenOnPurpose() {
            super("broken on purpose");
        }
    }

    FrameResponder(WorkQueues own, FrameOutput output) {
        this.own = own;
        this.output = output;
    }

    /// Serves one request; the payload lies in memory. Several in a row may be served before [#rest], which must follow.
    int serve(ByteBuffer input, int at, int type, int payload, long payloadAddress) throws IOException {
        int sequence = Frame.sequence(input, at);
        if (discarding && sequence != expected && sequence - expected > 0) {
            return SERVED;
        }
        if (sequence != expected || discarding && !readySent) {
            throw new ProtocolViolation("request " + sequence + " where " + expected + " comes next");
        }
        if (messageOffset > 0 && type != WorkRequests.SEND && type != WorkRequests.SEND_WITH_INVALIDATE) {
            throw new ProtocolViolation("request of type " + type + " amid a message");
        }
        discarding = false;
        readySent = false;
        if (!mayGoOn()) {
            return STOPPED;
        }
        Mischief mischief = own.responder().mischief();
        mischief.delay();
        boolean breaks = mischief.breaks();
        if (breaks && mischief.coin()) {
            throw new BrokenOnPurpose();
        }
        WorkCompletionStatus status = carryOut(input, at, type, payload, payloadAddress, sequence);
        if (breaks) {
            throw new BrokenOnPurpose();
        }
        if (status == WorkCompletionStatus.SUCCESS) {
            expected++;
            return SERVED;
        }
        if (status == Responder.NOT_READY) {
            discarding = true;
            answer(Frame.NOT_READY, sequence, 0, 0);
            return SERVED;
        }
        answer(Frame.REFUSE, sequence, status.ordinal(), 0);
        return STOPPED;
    }

    /// Whether the gate is open, which is entered once for all requests of a pass.
    private boolean mayGoOn() {
        if (inside) {
            return own.gate().isOpen();
        }
        inside = own.gate().enter();
        return inside;
    }

    /// Ends a pass over requests: leaves what [#serve] stayed inside of, so that whoever waits for that can go on.
    void rest() {
        if (inside) {
            inside = false;
            own.responder().rest();
            own.gate().leave();
        }
    }

    private WorkCompletionStatus carryOut(ByteBuffer input, int at, int type, int payload, long payloadAddress, int sequence)
            throws ProtocolViolation {
        Responder responder = own.responder();
        long address = Frame.address(input, at);
        int key = Frame.key(input, at);
        long first = Frame.first(input, at);
        return switch (type) {
            case WorkRequests.READ -> read(address, key, first, sequence);
            case WorkRequests.COMPARE_AND_SWAP ->
                previous(responder.compareAndSwap(address, key, first, Frame.second(input, at)), sequence);
            case WorkRequests.FETCH_AND_ADD -> previous(responder.fetchAndAdd(address, key, first), sequence);
            case WorkRequests.WRITE -> acknowledge(responder.write(payloadAddress, address, key, payload));
            case WorkRequests.WRITE_WITH_IMMEDIATE ->
                acknowledge(writeWithImmediate(input, at, address, key, payload, payloadAddress));
            default -> acknowledge(message(input, at, type, payload, payloadAddress));
        };
    }

    private WorkCompletionStatus read(long address, int key, long length, int sequence) throws ProtocolViolation {
        if (length < 0 || length > output.segmentBytes()) {
            throw new ProtocolViolation("a READ of " + length + " bytes");
        }
        int bytes = (int) length;
        int at = output.reserve(bytes);
        if (at < 0) {
            throw new ProtocolViolation("more READs on the way than the window allows");
        }
        WorkCompletionStatus status = own.responder().read(address, key, bytes, output.payloadAddress(at));
        if (status == WorkCompletionStatus.SUCCESS) {
            output.commit(at, Frame.DATA, bytes, sequence, 0, 0, 0, 0);
            owesAcknowledgement = false;
        }
        return status;
    }

    private WorkCompletionStatus previous(WorkCompletionStatus status, int sequence) throws ProtocolViolation {
        if (status == WorkCompletionStatus.SUCCESS) {
            answer(Frame.PREVIOUS, sequence, 0, own.responder().previous());
        }
        return status;
    }

    private WorkCompletionStatus acknowledge(WorkCompletionStatus status) {
        owesAcknowledgement |= status == WorkCompletionStatus.SUCCESS;
        return status;
    }

    private WorkCompletionStatus writeWithImmediate(ByteBuffer input, int at, long address, int key, int payload,
            long payloadAddress) throws ProtocolViolation {
        long total = Frame.first(input, at);
        if (total < payload || total > SoftDevice.MAX_MESSAGE_BYTES) {
            throw new ProtocolViolation("the last " + payload + " bytes of a WRITE of " + total);
        }
        Responder responder = own.responder();
        WorkCompletionStatus status = responder.beginReceive(payload, false);
        if (status == WorkCompletionStatus.SUCCESS) {
            status = responder.write(payloadAddress, address, key, payload);
        }
        if (status == WorkCompletionStatus.SUCCESS) {
            // The length of the whole, of which this is the last piece, is only reported: nothing trusts it.
            responder.received(WorkCompletionOpcode.RECV_RDMA_WITH_IMM, (int) total,
                    SoftCompletionQueue.WITH_IMMEDIATE, (int) Frame.second(input, at));
        }
        return status;
    }

    /// A SEND, or a piece of one.
    private WorkCompletionStatus message(ByteBuffer input, int at, int type, int payload, long payloadAddress)
            throws ProtocolViolation {
        long offset = Frame.address(input, at);
        long total = Frame.first(input, at);
        boolean first = messageOffset == 0;
        if (offset != messageOffset || total < 0 || total > SoftDevice.MAX_MESSAGE_BYTES || offset + payload > total
                || !first && total != messageTotal || payload != Math.min(output.segmentBytes(), total - offset)) {
            throw new ProtocolViolation("bytes " + offset + " to " + (offset + payload) + " of a message of " + total
                    + " where byte " + messageOffset + " comes next");
        }
        Responder responder = own.responder();
        WorkCompletionStatus status = first ? responder.beginReceive((int) total, true) : WorkCompletionStatus.SUCCESS;
        if (status == WorkCompletionStatus.SUCCESS) {
            status = responder.deliver(payloadAddress, (int) offset, payload);
        }
        if (status != WorkCompletionStatus.SUCCESS) {
            return status;
        }
        messageTotal = (int) total;
        messageOffset += payload;
        if (messageOffset < total) {
            return status;
        }
        messageOffset = 0;
        int flags = 0;
        int key = (int) Frame.second(input, at);
        if (type == WorkRequests.SEND_WITH_INVALIDATE) {
            flags = SoftCompletionQueue.WITH_INVALIDATE;
            status = responder.invalidate(key);
        }
        if (status == WorkCompletionStatus.SUCCESS) {
            responder.received(WorkCompletionOpcode.RECV, (int) total, flags, key);
        }
        return status;
    }

    private void answer(int type, int sequence, int status, long value) throws ProtocolViolation {
        if (!output.put(type, sequence, status, value)) {
            throw new ProtocolViolation("more atomics on the way than the window allows");
        }
        // Each answer says that everything before it is done.
        owesAcknowledgement = false;
    }

    /// Whether an acknowledgement waits for room in the output.
    boolean isCramped() {
        return owesAcknowledgement;
    }

    /// Acknowledges what was done since the last answer, if there is room now; if not, a later answer or call will. It takes the
    /// room of requests: that of answers is not enough for a peer that sends many small batches while it reads none.
    void acknowledge() {
        if (owesAcknowledgement && output.hasRoomForRequest(0) && output.put(Frame.ACKNOWLEDGE, expected - 1, 0, 0)) {
            owesAcknowledgement = false;
        }
    }

    /// There is a receive now: has the peer begin again, if it waits.
    void receivePosted() {
        if (discarding && !readySent && output.put(Frame.READY, expected, 0, 0)) {
            readySent = true;
        }
    }
}
