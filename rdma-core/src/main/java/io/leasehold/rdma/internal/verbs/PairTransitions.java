package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.QueuePairState;

/// `ibv_modify_qp` and `ibv_query_qp` of one queue pair. Who calls has made sure that the queue pair exists.
final class PairTransitions {
    private static final QueuePairState[] STATES = QueuePairState.values();
    private static final int HOPS_MAX = 64;
    /// What a queue pair takes requests for: the rights are those of regions and windows.
    static final int EVERY_RIGHT = AccessFlag.mask(AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_READ,
            AccessFlag.REMOTE_WRITE, AccessFlag.REMOTE_ATOMIC);

    private final VerbsLibrary library;
    private final VerbsPort port;
    private final long pointer;
    private final int number;

    PairTransitions(VerbsLibrary library, VerbsPort port, long pointer, int number) {
        this.library = library;
        this.port = port;
        this.pointer = pointer;
        this.number = number;
    }

    /// RESET to INIT. The queue pair takes every kind of request.
    void toInit() {
        try (Scratch scratch = new Scratch()) {
            long attributes = attributes(scratch, QueuePairState.INIT);
            RawMemory.putByte(attributes + Abi.PairAttributes.PORT, port.number());
            RawMemory.putInt(attributes + Abi.PairAttributes.ACCESS, EVERY_RIGHT);
            modify(attributes, Abi.PairAttributes.MASK_INIT, QueuePairState.INIT);
        }
    }

    /// INIT to RTR.
    ///
    /// @param serves reads and atomics of the peer that may be on the way at once
    void toReadyToReceive(PeerInfo peer, int serves) {
        try (Scratch scratch = new Scratch()) {
            long attributes = attributes(scratch, QueuePairState.RTR);
            RawMemory.putInt(attributes + Abi.PairAttributes.PATH_MTU, Math.min(port.mtu(), peer.mtu()));
            RawMemory.putInt(attributes + Abi.PairAttributes.PEER_NUMBER, peer.address().number());
            RawMemory.putInt(attributes + Abi.PairAttributes.RECEIVE_PSN, peer.psn());
            RawMemory.putByte(attributes + Abi.PairAttributes.MAX_PEER_READ_ATOMIC, serves);
            RawMemory.putByte(attributes + Abi.PairAttributes.RECEIVER_NOT_READY_TIMER,
                    Patience.receiverNotReadyTimer(peer.patienceMicros()));
            RawMemory.putBytes(attributes + Abi.PairAttributes.PEER_GID, peer.gid());
            RawMemory.putByte(attributes + Abi.PairAttributes.OWN_GID_INDEX, port.gidIndex());
            RawMemory.putByte(attributes + Abi.PairAttributes.HOP_LIMIT, HOPS_MAX);
            RawMemory.putByte(attributes + Abi.PairAttributes.IS_GLOBAL, port.needsGid(peer.gid()) ? 1 : 0);
            RawMemory.putShort(attributes + Abi.PairAttributes.PEER_LID, peer.lid());
            RawMemory.putByte(attributes + Abi.PairAttributes.ROUTE_PORT, port.number());
            modify(attributes, Abi.PairAttributes.MASK_RTR, QueuePairState.RTR);
        }
    }

    /// RTR to RTS.
    ///
    /// @param initiates reads and atomics that may be on the way at once
    void toReadyToSend(int psn, int timeoutExponent, int initiates) {
        try (Scratch scratch = new Scratch()) {
            long attributes = attributes(scratch, QueuePairState.RTS);
            RawMemory.putInt(attributes + Abi.PairAttributes.SEND_PSN, psn);
            RawMemory.putByte(attributes + Abi.PairAttributes.TIMEOUT, timeoutExponent);
            RawMemory.putByte(attributes + Abi.PairAttributes.RETRIES, Patience.RETRIES);
            RawMemory.putByte(attributes + Abi.PairAttributes.RECEIVER_NOT_READY_RETRIES, Patience.RETRIES);
            RawMemory.putByte(attributes + Abi.PairAttributes.MAX_READ_ATOMIC, initiates);
            modify(attributes, Abi.PairAttributes.MASK_RTS, QueuePairState.RTS);
        }
    }

    /// To a state with attributes that a connection manager has filled in.
    void follow(QueuePairState state, long attributes, int mask) {
        modify(attributes, mask, state);
    }

    /// To a state that needs no more than its name: ERR, RESET, SQD, and RTS from SQD.
    void to(QueuePairState state) {
        try (Scratch scratch = new Scratch()) {
            modify(attributes(scratch, state), Abi.PairAttributes.MASK_STATE, state);
        }
    }

    private static long attributes(Scratch scratch, QueuePairState state) {
        long attributes = scratch.allocate(Abi.PairAttributes.BYTES);
        RawMemory.putInt(attributes + Abi.PairAttributes.STATE, state.ordinal());
        return attributes;
    }

    private void modify(long attributes, int mask, QueuePairState state) {
        try {
            library.modifyQp(pointer, attributes, mask);
        } catch (NativeFailure e) {
            throw e.toRdmaException("queue pair " + number + ": the device refuses to take it to " + state);
        }
    }

    /// The state that the device says.
    QueuePairState query() {
        try (Scratch scratch = new Scratch()) {
            long attributes = scratch.allocate(Abi.PairAttributes.BYTES);
            library.queryQp(pointer, attributes, Abi.PairAttributes.MASK_STATE, scratch.allocate(Abi.PairInit.BYTES));
            return STATES[Math.floorMod(RawMemory.getInt(attributes + Abi.PairAttributes.STATE), STATES.length)];
        } catch (NativeFailure e) {
            throw e.toRdmaException("queue pair " + number + ": asking its state");
        }
    }
}
