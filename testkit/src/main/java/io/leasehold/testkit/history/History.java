package io.leasehold.testkit.history;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.LongSupplier;

/// Records operations, from any number of threads; histories of several processes of one host can be joined, since they share the
/// clock.
///
/// Each thread records into a [Log] of its own, without locks.
public final class History {
    private final LongSupplier clock;
    private final List<Log> logs = Collections.synchronizedList(new ArrayList<>());

    /// A history on the system's monotonic clock.
    public History() {
        this(System::nanoTime);
    }

    /// A history on another clock.
    public History(LongSupplier clock) {
        this.clock = clock;
    }

    /// What one client did; for one thread.
    public final class Log {
        private final int client;
        private final List<Operation> operations = new ArrayList<>();

        private Log(int client) {
            this.client = client;
        }

        /// The moment, to be taken just before the call.
        public long now() {
            return clock.getAsLong();
        }

        /// Records an operation that has just returned.
        public void returned(Operation.Kind kind, String object, long argument, long second, long result, long invokedNanos) {
            operations.add(new Operation(client, kind, object, argument, second, result, invokedNanos, clock.getAsLong()));
        }

        /// Records an operation of which it is unknown whether it took effect.
        public void pending(Operation.Kind kind, String object, long argument, long second, long invokedNanos) {
            operations.add(new Operation(client, kind, object, argument, second, Operation.NONE, invokedNanos, Long.MAX_VALUE));
        }
    }

    /// A log for the client with this number.
    public Log log(int client) {
        Log log = new Log(client);
        logs.add(log);
        return log;
    }

    /// All operations recorded; call it when the recording threads have ended.
    public List<Operation> operations() {
        List<Operation> all = new ArrayList<>();
        for (Log log : logs) {
            all.addAll(log.operations);
        }
        return all;
    }

    /// Writes all operations to a file.
    public void writeTo(Path file) throws IOException {
        List<Operation> all = operations();
        try (var out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
            out.writeInt(all.size());
            for (Operation operation : all) {
                operation.writeTo(out);
            }
        }
    }

    /// Reads the operations of a file.
    public static List<Operation> readFrom(Path file) throws IOException {
        try (var in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            int size = in.readInt();
            List<Operation> all = new ArrayList<>(size);
            for (int i = 0; i < size; i++) {
                all.add(Operation.readFrom(in));
            }
            return all;
        }
    }
}
