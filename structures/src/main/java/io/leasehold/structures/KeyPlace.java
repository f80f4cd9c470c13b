package io.leasehold.structures;

import org.jspecify.annotations.Nullable;

/// Which subtable a key is in, as far as an operation knows. For one thread; reused from operation to operation.
final class KeyPlace {
    private final Directory directory;
    private final Memory memory;
    private final int subtableBytes;
    private final Directory.Lookup lookup = new Directory.Lookup();
    private long hash;
    private Directory.@Nullable Entry entry;
    /// Whether the directory was behind, so that the next reading of buckets takes its entry along.
    private boolean isBehind;

    KeyPlace(MapContext<?, ?> context) {
        directory = context.directory();
        memory = context.memory();
        subtableBytes = context.shape().bytes();
    }

    /// Begins with another key.
    ///
    /// @return the [Access#since()] that what is known relies on, `Long.MAX_VALUE` if nothing is known
    long begin(long newHash) {
        hash = newHash;
        isBehind = false;
        entry = directory.find(hash);
        if (entry != null && !memory.mayRely(entry.subtable(), entry.since())) {
            entry = null;
        }
        return entry == null ? Long.MAX_VALUE : entry.since();
    }

    boolean isKnown() {
        return entry != null;
    }

    /// Forgets what is known: it has to be looked up.
    void forget() {
        entry = null;
        isBehind = false;
    }

    private Directory.Entry entry() {
        if (entry == null) {
            throw new IllegalStateException("the key has not been looked up");
        }
        return entry;
    }

    long subtable() {
        return entry().subtable();
    }

    /// Adds the steps of a look-up.
    void post(Access access) {
        directory.post(access, hash, lookup);
    }

    /// Takes what the look-up brought, which may be too little: look at [#isKnown()].
    void take(Access access) {
        entry = directory.take(access, hash, lookup);
    }

    /// Goes to the subtable that has the key, according to the header of a bucket that has moved.
    void follow(long header) {
        // As good as the entry that led here: a subtable is not retired before the entries that lead to those whose place it took
        // are changed.
        entry = new Directory.Entry(HeaderWord.next(header, hash, subtableBytes), HeaderWord.nextDepth(header), entry().since());
        isBehind = true;
    }

    /// Adds the steps that bring the directory up to date, if it was behind.
    void postIfBehind(Access access) {
        if (isBehind) {
            post(access);
        }
    }

    void takeIfBehind(Access access) {
        if (isBehind) {
            isBehind = false;
            directory.take(access, hash, lookup);
        }
    }
}
