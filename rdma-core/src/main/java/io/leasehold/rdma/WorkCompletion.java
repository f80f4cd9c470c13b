package io.leasehold.rdma;

/// One entry of a completion queue; a flyweight that the caller owns and [CompletionQueue#poll] fills.
///
/// When the status is not [WorkCompletionStatus#SUCCESS] only the id, the status, the opcode, the queue-pair number and the vendor
/// error are meaningful. Not thread-safe.
public final class WorkCompletion {
    private long id;
    private WorkCompletionStatus status = WorkCompletionStatus.GENERAL_ERR;
    private WorkCompletionOpcode opcode = WorkCompletionOpcode.SEND;
    private int queuePairNumber;
    private int byteLength;
    private int immediate;
    private boolean withImmediate;
    private int invalidatedKey;
    private boolean withInvalidate;
    private int vendorError;

    /// An empty flyweight.
    public WorkCompletion() {
    }

    /// The work-request id that the poster gave.
    public long id() {
        return id;
    }

    /// How the request ended.
    public WorkCompletionStatus status() {
        return status;
    }

    /// Whether the request was carried out.
    public boolean succeeded() {
        return status == WorkCompletionStatus.SUCCESS;
    }

    /// What the request was.
    public WorkCompletionOpcode opcode() {
        return opcode;
    }

    /// The local queue pair that the request was posted to.
    public int queuePairNumber() {
        return queuePairNumber;
    }

    /// Bytes received or read.
    public int byteLength() {
        return byteLength;
    }

    /// Whether the peer sent immediate data.
    public boolean withImmediate() {
        return withImmediate;
    }

    /// The peer's immediate data, if [#withImmediate()].
    public int immediate() {
        return immediate;
    }

    /// Whether the peer's SEND invalidated a local window.
    public boolean withInvalidate() {
        return withInvalidate;
    }

    /// The key that the peer's SEND invalidated, if [#withInvalidate()].
    public int invalidatedKey() {
        return invalidatedKey;
    }

    /// The provider's own error number; 0 if there is none.
    public int vendorError() {
        return vendorError;
    }

    /// Fills the flyweight and clears what the following setters set; for providers.
    public void set(long id, WorkCompletionStatus status, WorkCompletionOpcode opcode, int queuePairNumber, int byteLength) {
        this.id = id;
        this.status = status;
        this.opcode = opcode;
        this.queuePairNumber = queuePairNumber;
        this.byteLength = byteLength;
        withImmediate = false;
        withInvalidate = false;
        vendorError = 0;
    }

    /// Adds immediate data; for providers.
    public void setImmediate(int value) {
        withImmediate = true;
        immediate = value;
    }

    /// Adds the key that was invalidated; for providers.
    public void setInvalidatedKey(int key) {
        withInvalidate = true;
        invalidatedKey = key;
    }

    /// Adds the provider's own error number; for providers.
    public void setVendorError(int error) {
        vendorError = error;
    }

    @Override
    public String toString() {
        return opcode + " id " + id + " on queue pair " + queuePairNumber + ": " + status;
    }
}
