package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.nio.ByteBuffer;

/// The requester half of a connection that carries frames: turns work requests into frames, and answers into completions.
/// Guarded by the send lock of its queue pair.
///
/// Two cursors run over the send queue, each a place, an offset in the request there, and the sequence number of the piece that
/// begins there: one for what is transmitted, one for what is answered.
///
/// ```
///  done, doneOffset                        started, sentOffset
///  answeredSequence                        nextSequence
///  |                                       |
///  v      on the way                       v      not transmitted
///  [========================================][=====================]
/// ```
///
/// Binds and invalidations are carried out when they are reached *and* everything before them is answered: so a request that is
/// flushed has never been carried out, here as on the other links.
final class FrameRequester {
    private static final WorkCompletionStatus[] STATUSES = WorkCompletionStatus.values();

    private final WorkQueues own;
    private final SendQueue queue;
    private final FrameOutput output;
    private final KeyHold hold;
    private final int readsMax;
    private final int segmentBytes;
    private final int readWindow;
    private int nextSequence;
    private int answeredSequence;
    private int sentOffset;
    private int doneOffset;
    private int readsOut;
    private int readBytesOut;
    private boolean notReady;
    private boolean cramped;
    private long notReadyNanos;
    // The request that it was said for, which keeps its time however often it is said.
    private long notReadyPlace = -1;
    // What [#isLate] saw when it was asked last.
    private boolean watching;
    private int watchedSequence;
    private long watchedNanos;
    // A request that cannot be transmitted fails once all before it are answered.
    private long unsendable = -1;

    FrameRequester(WorkQueues own, FrameOutput output) {
        this.own = own;
        this.output = output;
        hold = new KeyHold(own.device().keys());
        queue = own.sends();
        readsMax = own.options().maxReadAtomic();
        segmentBytes = output.segmentBytes();
        readWindow = output.readWindow();
    }

    /// Whether something was transmitted and not yet answered.
    boolean isWaiting() {
        return nextSequence != answeredSequence;
    }

    /// Whether something waits for room in the output.
    boolean isCramped() {
        return cramped;
    }

    boolean isNotReady() {
        return notReady;
    }

    /// Whether the peer has said of the oldest request that it has no receive for it, whatever it said since.
    boolean lacksReceive() {
        return notReadyPlace == queue.done();
    }

    /// When the peer said for the first time that it has no receive for the request.
    long notReadyNanos() {
        return notReadyNanos;
    }

    /// Whether something was transmitted and nothing answered for so long, counted from the first time that the caller, who asks
    /// at intervals, found it so. Clocks are slow: who transmits and who takes answers in reads none.
    boolean isLate(long nowNanos, long patienceNanos) {
        if (watching && isWaiting() && watchedSequence == answeredSequence) {
            return nowNanos - watchedNanos > patienceNanos;
        }
        watching = isWaiting();
        watchedSequence = answeredSequence;
        watchedNanos = nowNanos;
        return false;
    }

    /// Gives up what is on the way.
    ///
    /// @return the first place that has certainly not been carried out
    long giveUp() {
        long inDoubt = notReady ? queue.done() + 1 : queue.started() + (sentOffset > 0 ? 1 : 0);
        // What is posted from now on is not in doubt because of what was posted before.
        notReady = false;
        sentOffset = 0;
        doneOffset = 0;
        answeredSequence = nextSequence;
        return inDoubt;
    }

    /// Transmits what can be.
    ///
    /// @return [WorkCompletionStatus#SUCCESS], or what the request at the head has just failed with
    WorkCompletionStatus pump(long limit) {
        cramped = false;
        while (queue.started() < limit && !notReady && unsendable < 0) {
            int slot = queue.slot(queue.started());
            if (queue.requests().isLocal(slot)) {
                if (queue.done() != queue.started()) {
                    break;
                }
                WorkCompletionStatus status = own.carryOutLocally(queue.requests(), slot);
                if (status != WorkCompletionStatus.SUCCESS) {
                    return status;
                }
                queue.finish(status);
            } else if (!transmit(slot)) {
                break;
            }
        }
        return unsendable == queue.done() ? WorkCompletionStatus.LOC_PROT_ERR : WorkCompletionStatus.SUCCESS;
    }

    /// Transmits what is left of the request at the cursor.
    ///
    /// @return whether all of it has been
    private boolean transmit(int slot) {
        WorkRequests requests = queue.requests();
        boolean answered = requests.answersIntoMemory(slot);
        if (sentOffset == 0) {
            if (readsOut > 0 && requests.has(slot, WorkRequests.FENCED) || answered && readsOut >= readsMax) {
                return false;
            }
        }
        int length = requests.length(slot);
        do {
            int piece = Math.min(segmentBytes, length - sentOffset);
            if (!output.hasRoomForRequest(answered ? 0 : piece)) {
                cramped = true;
                return false;
            }
            if (answered && readBytesOut + piece > readWindow || !encode(slot, piece, answered)) {
                return false;
            }
            if (answered) {
                readBytesOut += piece;
                readsOut += sentOffset == 0 ? 1 : 0;
            }
            nextSequence++;
            sentOffset += piece;
        } while (sentOffset < length);
        sentOffset = 0;
        queue.start();
        return true;
    }

    /// Puts one piece into the output.
    ///
    /// @return `false` if its local range may not be touched so; then [#unsendable] is set
    private boolean encode(int slot, int piece, boolean answered) {
        WorkRequests requests = queue.requests();
        int payload = answered ? 0 : piece;
        int at = output.reserve(payload);
        if (at < 0) {
            return false;
        }
        long local = requests.get(slot, WorkRequests.LOCAL) + sentOffset;
        if (requests.has(slot, WorkRequests.INLINE)) {
            NativeMemory.read(local, output.payloadAddress(at), payload);
        } else if (piece > 0 && !gather(slot, local, piece, payload, at)) {
            unsendable = queue.started();
            return false;
        }
        int opcode = requests.opcode(slot);
        int length = requests.length(slot);
        long remote = requests.get(slot, WorkRequests.REMOTE) + sentOffset;
        long extra = requests.get(slot, WorkRequests.EXTRA);
        int key = requests.remoteKey(slot);
        switch (opcode) {
            case WorkRequests.READ -> output.commit(at, opcode, 0, nextSequence, key, remote, piece, 0);
            case WorkRequests.COMPARE_AND_SWAP, WorkRequests.FETCH_AND_ADD -> output.commit(at, opcode, 0, nextSequence, key,
                    remote, requests.get(slot, WorkRequests.OPERAND), requests.get(slot, WorkRequests.SWAP));
            case WorkRequests.WRITE_WITH_IMMEDIATE -> {
                boolean last = sentOffset + piece >= length;
                output.commit(at, last ? opcode : WorkRequests.WRITE, payload, nextSequence, key, remote, length, extra);
            }
            // A SEND names its offset where others name an address; its remote address is 0.
            default -> output.commit(at, opcode, payload, nextSequence, key, remote, length, extra);
        }
        return true;
    }

    /// Copies a local range into a frame. Of a range that waits for an answer it is only looked whether it will do: the answer
    /// makes sure.
    private boolean gather(int slot, long local, int piece, int payload, int at) {
        int key = queue.requests().localKey(slot);
        if (payload == 0) {
            return own.looksLocal(key, local, piece, true);
        }
        KeyEntry entry = own.enterLocal(key, local, piece, false);
        if (entry == null) {
            return false;
        }
        try {
            NativeMemory.read(local, output.payloadAddress(at), payload);
        } finally {
            entry.leave();
        }
        return true;
    }

    /// Takes in an answer. Several in a row may be taken in before [#rest], which must follow.
    ///
    /// @return [WorkCompletionStatus#SUCCESS], or what the request at the head has failed with
    WorkCompletionStatus answer(ByteBuffer input, int at, int type, int payload, long payloadAddress) throws ProtocolViolation {
        int sequence = Frame.sequence(input, at);
        if (type == Frame.READY) {
            if (!notReady || sequence != nextSequence) {
                throw new ProtocolViolation("READY " + sequence + " out of turn");
            }
            notReady = false;
            return WorkCompletionStatus.SUCCESS;
        }
        if (Integer.compareUnsigned(sequence - answeredSequence, nextSequence - answeredSequence) >= 0) {
            throw new ProtocolViolation("an answer to request " + sequence + ", which is not on the way");
        }
        acknowledgeBefore(sequence);
        switch (type) {
            case Frame.ACKNOWLEDGE -> acknowledgeBefore(sequence + 1);
            case Frame.DATA, Frame.PREVIOUS -> {
                return store(type, payload, type == Frame.DATA ? payloadAddress : Frame.first(input, at));
            }
            case Frame.NOT_READY -> startAgain();
            case Frame.REFUSE -> {
                return refusal(Frame.key(input, at));
            }
            default -> throw new ProtocolViolation("frame type " + type);
        }
        return unsendable == queue.done() ? WorkCompletionStatus.LOC_PROT_ERR : WorkCompletionStatus.SUCCESS;
    }

    /// Ends a pass over answers: leaves the key that [#answer] stayed inside of, so that its region can be closed.
    void rest() {
        hold.leave();
    }

    private static WorkCompletionStatus refusal(int status) throws ProtocolViolation {
        if (status <= 0 || status >= STATUSES.length) {
            throw new ProtocolViolation("a refusal with status " + status);
        }
        return STATUSES[status];
    }

    /// Completes what a later answer says is done.
    private void acknowledgeBefore(int sequence) throws ProtocolViolation {
        while (answeredSequence != sequence) {
            if (queue.requests().answersIntoMemory(queue.slot(queue.done()))) {
                throw new ProtocolViolation("request " + answeredSequence + " was acknowledged without its answer");
            }
            advance();
        }
    }

    private void advance() {
        int length = queue.requests().length(queue.slot(queue.done()));
        doneOffset += Math.min(segmentBytes, length - doneOffset);
        answeredSequence++;
        if (doneOffset >= length) {
            doneOffset = 0;
            queue.finish(WorkCompletionStatus.SUCCESS);
        }
    }

    /// Puts the answer of a READ or an atomic where the request wants it.
    private WorkCompletionStatus store(int type, int payload, long answer) throws ProtocolViolation {
        int slot = queue.slot(queue.done());
        WorkRequests requests = queue.requests();
        int length = requests.length(slot);
        int piece = Math.min(segmentBytes, length - doneOffset);
        boolean read = requests.opcode(slot) == WorkRequests.READ;
        if (!requests.answersIntoMemory(slot) || read != (type == Frame.DATA) || read && payload != piece) {
            throw new ProtocolViolation(
                    "an answer of type " + type + " and " + payload + " bytes to request " + answeredSequence);
        }
        if (piece > 0) {
            long local = requests.get(slot, WorkRequests.LOCAL) + doneOffset;
            KeyEntry entry = hold.enter(requests.localKey(slot));
            if (entry == null || !entry.allowsLocal(own.domain(), local, piece, true)) {
                return WorkCompletionStatus.LOC_PROT_ERR;
            }
            if (read) {
                NativeMemory.write(answer, local, piece);
            } else {
                NativeMemory.putLong(local, answer);
            }
        }
        readBytesOut -= piece;
        if (doneOffset + piece >= length) {
            readsOut--;
        }
        advance();
        return unsendable == queue.done() ? WorkCompletionStatus.LOC_PROT_ERR : WorkCompletionStatus.SUCCESS;
    }

    /// The peer threw away what was transmitted from the answered cursor on.
    private void startAgain() throws ProtocolViolation {
        int opcode = queue.requests().opcode(queue.slot(queue.done()));
        if (!WorkRequests.consumesReceive(opcode)) {
            throw new ProtocolViolation("NOT_READY for a request that needs no receive");
        }
        queue.rewind(queue.done());
        sentOffset = doneOffset;
        nextSequence = answeredSequence;
        // Whatever READs were on the way were thrown away with the rest.
        readsOut = 0;
        readBytesOut = 0;
        unsendable = -1;
        notReady = true;
        if (notReadyPlace != queue.done()) {
            notReadyPlace = queue.done();
            notReadyNanos = NicClock.nanos();
        }
    }
}
