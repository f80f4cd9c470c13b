package io.leasehold.structures;

/// What a queue promises about an element whose consumer dies.
public enum DeliveryMode {
    /// An element is handed out once. It leaves the queue when it is taken, and a consumer that dies with it takes it along, as a
    /// thread that dies takes what it polled from a local queue. The order is first in, first out, and operations are
    /// linearizable.
    AT_MOST_ONCE,
    /// An element that was received leaves the queue when it is acknowledged; until then it comes back if its consumer falls
    /// silent or releases it. Nothing is lost, an element may be handed out twice, and one that comes back has lost its place in
    /// the order.
    ACKNOWLEDGED
}
