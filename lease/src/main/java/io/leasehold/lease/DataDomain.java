package io.leasehold.lease;

import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.System.Logger.Level;
import java.util.function.Function;

/// A protection domain for data queue pairs, of all sessions or of one, that is freed when it was left and the last thing in it is
/// gone: queue pairs of a session that has ended are closed in their own time. Thread-safe.
final class DataDomain {
    private static final System.Logger LOG = System.getLogger(DataDomain.class.getName());

    private final ProtectionDomain domain;
    private int inside;
    private boolean left;

    DataDomain(ProtectionDomain domain) {
        this.domain = domain;
    }

    /// Makes something in it; [#gone] must follow when that was closed.
    ///
    /// @throws RdmaException with [RdmaError#CLOSED] if it was left, or as `making` does
    <T> T make(Function<ProtectionDomain, T> making) {
        synchronized (this) {
            if (left) {
                throw new RdmaException(RdmaError.CLOSED, "the session has ended");
            }
            inside++;
        }
        try {
            return making.apply(domain);
        } catch (RuntimeException | Error e) {
            gone();
            throw e;
        }
    }

    /// Something that was made in it was closed.
    void gone() {
        boolean last;
        synchronized (this) {
            inside--;
            last = left && inside == 0;
        }
        if (last) {
            free();
        }
    }

    /// Nothing is made in it any more.
    void leave() {
        boolean last;
        synchronized (this) {
            last = !left && inside == 0;
            left = true;
        }
        if (last) {
            free();
        }
    }

    private void free() {
        try {
            domain.close();
        } catch (RdmaException e) {
            LOG.log(Level.WARNING, "a protection domain of data queue pairs could not be freed", e);
        }
    }
}
