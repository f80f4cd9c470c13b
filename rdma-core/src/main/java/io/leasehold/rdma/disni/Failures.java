package io.leasehold.rdma.disni;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.io.IOException;
import java.util.function.Supplier;

/// How failures are told in DiSNI's way: an [IOException] whose cause is the [RdmaException].
final class Failures {
    private Failures() {
    }

    static IOException io(RdmaException failure) {
        return new IOException(failure.getMessage(), failure);
    }

    static IOException io(RdmaError error, String message) {
        return io(new RdmaException(error, message));
    }

    static <T> T get(Supplier<T> call) throws IOException {
        try {
            return call.get();
        } catch (RdmaException e) {
            throw io(e);
        }
    }

    static void run(Runnable call) throws IOException {
        try {
            call.run();
        } catch (RdmaException e) {
            throw io(e);
        }
    }

    /// One of our objects, which DiSNI passes about by its own type.
    static <T> T own(Class<T> type, Object object) throws IOException {
        if (type.isInstance(object)) {
            return type.cast(object);
        }
        throw io(RdmaError.INVALID_ARGUMENT, (object == null ? "nothing" : "an object of " + object.getClass().getName())
                + " was given where one that Leasehold's provider has made is needed");
    }
}
