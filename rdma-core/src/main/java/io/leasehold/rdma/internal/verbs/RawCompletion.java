package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.WorkCompletionStatus;

/// The fields of an `ibv_wc` as the device filled them in; a flyweight that [VerbsCompletionQueue#poll] fills.
public final class RawCompletion {
    private int status;
    private int vendorError;
    private int byteLength;
    private int immediate;
    private int sourcePairNumber;
    private int flags;
    private int pkeyIndex;
    private int sourceLid;
    private int serviceLevel;
    private int pathBits;

    /// An empty flyweight.
    public RawCompletion() {
    }

    void copy(long completion) {
        status = RawMemory.getInt(completion + Abi.Completion.STATUS);
        vendorError = RawMemory.getInt(completion + Abi.Completion.VENDOR_ERROR);
        byteLength = RawMemory.getInt(completion + Abi.Completion.BYTE_LENGTH);
        immediate = RawMemory.getInt(completion + Abi.Completion.IMMEDIATE);
        sourcePairNumber = RawMemory.getInt(completion + Abi.Completion.SOURCE_PAIR_NUMBER);
        flags = RawMemory.getInt(completion + Abi.Completion.FLAGS);
        pkeyIndex = RawMemory.getShort(completion + Abi.Completion.PKEY_INDEX);
        sourceLid = RawMemory.getShort(completion + Abi.Completion.SOURCE_LID);
        serviceLevel = RawMemory.getByte(completion + Abi.Completion.SERVICE_LEVEL);
        pathBits = RawMemory.getByte(completion + Abi.Completion.PATH_BITS);
    }

    /// Of a request of which the device says nothing.
    void ended(WorkCompletionStatus how) {
        status = how.ordinal();
        vendorError = 0;
        byteLength = 0;
        immediate = 0;
        sourcePairNumber = 0;
        flags = 0;
        pkeyIndex = 0;
        sourceLid = 0;
        serviceLevel = 0;
        pathBits = 0;
    }

    /// The device's own status. [io.leasehold.rdma.WorkCompletion#status] differs where the device says that a request was flushed
    /// and the peer may have carried it out.
    public int status() {
        return status;
    }

    /// The provider's own error number.
    public int vendorError() {
        return vendorError;
    }

    /// Bytes received or read; undefined if the request failed.
    public int byteLength() {
        return byteLength;
    }

    /// Immediate data in network byte order, or the key that was invalidated.
    public int immediate() {
        return immediate;
    }

    /// The peer's queue pair, where the device tells.
    public int sourcePairNumber() {
        return sourcePairNumber;
    }

    /// Bits of `enum ibv_wc_flags`.
    public int flags() {
        return flags;
    }

    /// `pkey_index`.
    public int pkeyIndex() {
        return pkeyIndex;
    }

    /// `slid`.
    public int sourceLid() {
        return sourceLid;
    }

    /// `sl`.
    public int serviceLevel() {
        return serviceLevel;
    }

    /// `dlid_path_bits`.
    public int pathBits() {
        return pathBits;
    }
}
