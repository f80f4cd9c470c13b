package io.leasehold.rdma;

/// Thrown when a control-path call of the verbs layer fails; the data path answers by [PostStatus] and [WorkCompletionStatus].
///
/// The call that threw it had no effect, unless its Javadoc says otherwise.
public final class RdmaException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final RdmaError error;

    /// An exception for `error`, whose message names the object, the limit and the remedy.
    public RdmaException(RdmaError error, String message) {
        super(error + ": " + message);
        this.error = error;
    }

    /// As [#RdmaException(RdmaError, String)], with the failure below it.
    public RdmaException(RdmaError error, String message, Throwable cause) {
        super(error + ": " + message, cause);
        this.error = error;
    }

    /// Why the call failed.
    public RdmaError error() {
        return error;
    }
}
