package io.leasehold.rdma.internal.verbs;

import org.jspecify.annotations.Nullable;

/// The windows of a device by the index in their keys: an open-addressing hash table that is looked into without a lock, and with
/// it only when nothing was found, since another thread may have been moving what was looked for.
final class WindowTable {
    private static final int INITIAL = 64;

    private volatile @Nullable VerbsMemoryWindow[] slots = new VerbsMemoryWindow[INITIAL];
    private int used;

    /// The window with that index, if there is one.
    @Nullable VerbsMemoryWindow find(int index) {
        VerbsMemoryWindow found = look(index);
        return found != null ? found : findUnmoved(index);
    }

    private synchronized @Nullable VerbsMemoryWindow findUnmoved(int index) {
        return look(index);
    }

    private @Nullable VerbsMemoryWindow look(int index) {
        @Nullable VerbsMemoryWindow[] now = slots;
        int mask = now.length - 1;
        for (int at = spread(index) & mask;; at = at + 1 & mask) {
            VerbsMemoryWindow window = now[at];
            if (window == null || window.index() == index) {
                return window;
            }
        }
    }

    private static int spread(int index) {
        return index * 0x9e3779b1 >>> 8;
    }

    synchronized void add(VerbsMemoryWindow window) {
        if (used * 2 >= slots.length) {
            rebuild(slots.length * 2);
        }
        put(slots, window);
        used++;
        publish();
    }

    synchronized void remove(VerbsMemoryWindow window) {
        @Nullable VerbsMemoryWindow[] now = slots;
        int mask = now.length - 1;
        int at = spread(window.index()) & mask;
        while (now[at] != window) {
            if (now[at] == null) {
                return;
            }
            at = at + 1 & mask;
        }
        now[at] = null;
        used--;
        // What was pushed further by the one that is gone moves up.
        for (at = at + 1 & mask; now[at] != null; at = at + 1 & mask) {
            VerbsMemoryWindow moved = now[at];
            now[at] = null;
            put(now, moved);
        }
        publish();
    }

    private void rebuild(int size) {
        @Nullable VerbsMemoryWindow[] next = new VerbsMemoryWindow[size];
        for (VerbsMemoryWindow window : slots) {
            if (window != null) {
                put(next, window);
            }
        }
        slots = next;
    }

    private static void put(@Nullable VerbsMemoryWindow[] into, VerbsMemoryWindow window) {
        int mask = into.length - 1;
        int at = spread(window.index()) & mask;
        while (into[at] != null) {
            at = at + 1 & mask;
        }
        into[at] = window;
    }

    /// Makes changes of the array's elements visible to who reads the field next.
    private void publish() {
        slots = slots;
    }
}
