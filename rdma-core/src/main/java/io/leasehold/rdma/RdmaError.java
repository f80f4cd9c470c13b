package io.leasehold.rdma;

/// Why a control-path call of the verbs layer failed.
public enum RdmaError {
    /// An argument is outside what the call or the device allows; the message names it and the limit.
    INVALID_ARGUMENT,
    /// The object is not in a state that allows the call.
    INVALID_STATE,
    /// A limit of the device is reached: close something, or open the device with a higher limit.
    OUT_OF_RESOURCES,
    /// Something still refers to the object, as a bound window to its region.
    BUSY,
    /// The peer did not answer in time.
    TIMEOUT,
    /// The peer refused the connection.
    REJECTED,
    /// The peer could not be reached.
    UNREACHABLE,
    /// The device or object was closed.
    CLOSED,
    /// The peer speaks another version or is no peer of ours.
    PROTOCOL,
    /// The provider or device does not offer this.
    UNSUPPORTED
}
