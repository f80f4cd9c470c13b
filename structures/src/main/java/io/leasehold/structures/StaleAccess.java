package io.leasehold.structures;

/// A lease ended under an operation, which has to start over; never leaves this package.
final class StaleAccess extends RuntimeException {
    private static final long serialVersionUID = 1;

    StaleAccess(String message, @org.jspecify.annotations.Nullable Throwable cause) {
        super(message, cause, false, false);
    }
}
