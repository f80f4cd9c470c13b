package io.leasehold.lease;

/// Thrown when bytes from a peer are no message of this protocol; the text says where they go wrong. Whoever reads them closes
/// the queue pair that they came on.
final class MalformedMessageException extends Exception {
    private static final long serialVersionUID = 1;

    MalformedMessageException(String message) {
        super(message);
    }
}
