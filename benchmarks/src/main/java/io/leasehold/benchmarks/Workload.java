package io.leasehold.benchmarks;

import java.io.Serializable;

/// What is done to a map of 16-byte keys.
///
/// @param mix which operations
/// @param distribution on which keys
/// @param valueBytes length of each value
/// @param entries how many the map was loaded with
record Workload(Mix mix, Distribution distribution, int valueBytes, long entries) implements Serializable {
    static final int VALUE_BYTES_MIN = 8;

    Workload {
        if (valueBytes < VALUE_BYTES_MIN) {
            throw new IllegalArgumentException("values of " + valueBytes + " bytes; at least " + VALUE_BYTES_MIN);
        }
        if (entries < 2) {
            throw new IllegalArgumentException(entries + " entries; at least 2");
        }
        if ((distribution == Distribution.LATEST) != mix.inserts()) {
            throw new IllegalArgumentException("mix " + mix + " does not go with " + distribution);
        }
    }

    /// The map that it is about: one for each length of values and number of entries.
    String map() {
        return "ycsb-" + valueBytes + "-" + entries;
    }
}
