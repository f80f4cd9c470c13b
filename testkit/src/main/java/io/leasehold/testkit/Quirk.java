package io.leasehold.testkit;

/// What a device that cannot be mended does otherwise than the specification says; the tests that it fails are told so, and demand
/// the rest.
public enum Quirk {
    /// An access through a window is checked against the bounds of the region below it only.
    WINDOW_BOUNDS_UNCHECKED,
    /// A SEND_WITH_INV invalidates a window that is bound to another queue pair of the same domain.
    INVALIDATION_OF_ANOTHERS_WINDOW,
    /// A message that is too long for its receive ends with REM_OP_ERR instead of REM_INV_REQ_ERR at the sender, and with
    /// LOC_QP_OP_ERR instead of LOC_LEN_ERR at the receiver.
    LONG_MESSAGE_IS_OP_ERR
}
