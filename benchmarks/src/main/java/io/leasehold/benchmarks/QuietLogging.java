package io.leasehold.benchmarks;

import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.Logger;

/// Keeps what client libraries say about themselves out of the way; warnings stay.
public final class QuietLogging {
    /// Called by the logging system when it starts.
    public QuietLogging() {
        LogManager.getLogManager().reset();
        Logger root = Logger.getLogger("");
        root.setLevel(Level.WARNING);
        root.addHandler(new java.util.logging.ConsoleHandler());
    }
}
