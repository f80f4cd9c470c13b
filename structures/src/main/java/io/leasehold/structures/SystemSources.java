package io.leasehold.structures;

import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/// The one place of this module that asks the system for time and chance.
final class SystemSources {
    /// Monotonic nanoseconds.
    static final LongSupplier NANOS = System::nanoTime;
    /// Thread-safe, since each thread draws from its own.
    static final RandomGenerator RANDOM = () -> ThreadLocalRandom.current().nextLong();

    private SystemSources() {
    }
}
