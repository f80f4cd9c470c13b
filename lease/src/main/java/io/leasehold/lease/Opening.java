package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import org.jspecify.annotations.Nullable;

/// A range of the node's memory that a key opens to one session, or will, or did. For the control thread.
///
/// It is opened once, closed at most once, and released at the end. What is opened and closed between two calls of [Backing#run] is
/// carried out together, and it shows afterwards whether it was.
sealed interface Opening permits WindowBacking.Binding, RegionBacking.Registration {
    /// The key, if it is open.
    int key();

    /// Has it opened on the session's active queue pair.
    void open();

    /// Whether it was opened, and not closed since.
    boolean isOpen();

    /// Why it was not opened and will not be, however often it is tried; `null` if it may be worth another try.
    @Nullable Failed refusal();

    /// Has it closed, if that goes together with others; [#release] does what is left.
    void close();

    /// Gives back all that it is made of. Until this has answered `true` its key may still open the range.
    ///
    /// @return whether the key is dead; if not, this must be called again
    boolean release();
}
