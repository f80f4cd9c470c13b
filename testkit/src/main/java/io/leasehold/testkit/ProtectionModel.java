package io.leasehold.testkit;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.REM_INV_REQ_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.ProtectionContract.Step;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a region and a few windows allow, computed the obvious way, beside a fabric that must do the same.
///
/// The region is the middle of a larger piece of memory, all of which is compared after each step.
final class ProtectionModel {
    static final int WINDOWS = 3;
    static final int REGION_BYTES = 512;

    private static final int MARGIN = 256;
    private static final int MEMORY_BYTES = REGION_BYTES + 2 * MARGIN;
    private static final int LONGEST_ACCESS = 128;

    /// What a key opens.
    private record Opening(int key, int offset, int lengthBytes, Set<AccessFlag> rights) {
        boolean covers(int from, int length) {
            return from >= offset && from + length <= offset + lengthBytes;
        }
    }

    private final Testbed bed;
    private final Connection connection;
    private final MemoryRegion region;
    private final MemoryRegion local;
    private final MemorySegment memory;
    private final byte[] expected = new byte[MEMORY_BYTES];
    private final Opening whole;
    private final @Nullable MemoryWindow[] windows = new @Nullable MemoryWindow[WINDOWS];
    private final Step.@Nullable Bind[] bound = new Step.@Nullable Bind[WINDOWS];

    /// The last bind of each window, even if it is over.
    private final Step.@Nullable Bind[] last = new Step.@Nullable Bind[WINDOWS];
    private final boolean boundsUnchecked;
    private int writes;

    /// @param quirks what the device does otherwise
    ProtectionModel(Testbed bed, Set<AccessFlag> rights, Set<Quirk> quirks) {
        this.bed = bed;
        boundsUnchecked = quirks.contains(Quirk.WINDOW_BOUNDS_UNCHECKED);
        connection = bed.connect();
        memory = bed.server().memory(MEMORY_BYTES);
        EnumSet<AccessFlag> access = EnumSet.of(AccessFlag.LOCAL_WRITE, AccessFlag.MW_BIND);
        access.addAll(rights);
        region = bed.server().closing(bed.server().domain().register(memory.asSlice(MARGIN, REGION_BYTES), access));
        local = bed.client().region(LONGEST_ACCESS, Host.EVERYTHING);
        whole = new Opening(region.remoteKey(), 0, REGION_BYTES, rights);
        for (int i = 0; i < MEMORY_BYTES; i++) {
            expected[i] = (byte) (i * 7 + 1);
        }
        memory.copyFrom(MemorySegment.ofArray(expected));
    }

    /// Carries out a step and compares everything that it may have changed.
    void check(Step step) {
        switch (step) {
            case Step.Bind bind -> bind(bind);
            case Step.Invalidate invalidate -> invalidate(invalidate.window());
            case Step.Touch touch -> touch(touch);
        }
        assertThat(memory.toArray(ValueLayout.JAVA_BYTE)).as("memory after %s", step).isEqualTo(expected);
    }

    private void bind(Step.Bind wanted) {
        Step.Bind bind = new Step.Bind(wanted.window(), wanted.type(), wanted.offset(),
                Math.min(wanted.lengthBytes(), REGION_BYTES - wanted.offset()), wanted.rights());
        MemoryWindow window = windows[bind.window()];
        if (window != null && window.type() != bind.type()) {
            window.close();
            window = null;
        } else if (window != null && bind.type() != MemoryWindowType.TYPE_1) {
            invalidate(bind.window());
        }
        windows[bind.window()] = window != null ? window : bed.server().window(bind.type());
        rebind(bind);
    }

    private void rebind(Step.Bind bind) {
        MemoryWindow window = windows[bind.window()];
        assertThat(window).isNotNull();
        connection.server().bind(window, region, bind.offset(), bind.lengthBytes(), bind.rights().toArray(AccessFlag[]::new));
        bound[bind.window()] = bind;
        last[bind.window()] = bind;
    }

    private void invalidate(int index) {
        MemoryWindow window = windows[index];
        if (window != null && bound[index] != null && window.type() != MemoryWindowType.TYPE_1) {
            assertThat(connection.server().invalidate(window.remoteKey()).status()).isEqualTo(SUCCESS);
            bound[index] = null;
        }
    }

    private void touch(Step.Touch touch) {
        Opening opening = touch.window() == WINDOWS ? whole : opening(touch.window());
        if (opening == null) {
            return;
        }
        int length = touch.access() == Access.READ || touch.access() == Access.WRITE ? touch.lengthBytes() : Long.BYTES;
        int last = opening.offset + opening.lengthBytes - length;
        int from = touch.edge() >= 0 ? opening.offset + touch.edge() : last - touch.edge() - 1;
        boolean live = touch.window() == WINDOWS || bound[touch.window()] != null;
        boolean allowed = live && !touch.stale() && opening.rights.contains(touch.access().needs())
                && (boundsUnchecked ? whole : opening).covers(from, length);
        int key = touch.stale() ? previous(opening.key) : opening.key;
        byte[] brought = noise();
        MemorySegment localMemory = local.memory().copyFrom(MemorySegment.ofArray(brought));
        PostStatus posted = connection.client().tryPost(requests -> add(requests, touch.access(), from, length, key));
        boolean aligned = touch.access().needs() != AccessFlag.REMOTE_ATOMIC || from % Long.BYTES == 0;
        if (!aligned && posted == PostStatus.INVALID_REQUEST) {
            return;
        }
        assertThat(posted).isEqualTo(PostStatus.POSTED);
        WorkCompletionStatus status = connection.client().await().status();
        if (allowed && aligned) {
            assertThat(status).as("%s of [%s, +%s) through %s", touch, from, length, opening).isEqualTo(SUCCESS);
            apply(touch.access(), from, length, brought);
        } else {
            assertThat(status).as("%s of [%s, +%s) through %s", touch, from, length, opening)
                    .isIn(aligned ? Set.of(REM_ACCESS_ERR) : Set.of(REM_ACCESS_ERR, REM_INV_REQ_ERR));
        }
        assertThat(localMemory.toArray(ValueLayout.JAVA_BYTE)).as("local memory after %s", touch).isEqualTo(brought);
        if (status != SUCCESS) {
            mend();
        }
    }

    /// The key that the window had before, if it is one of type 2: each bind takes the next variant.
    private static int previous(int key) {
        return key & ~RemoteKey.VARIANT_MASK | key - 1 & RemoteKey.VARIANT_MASK;
    }

    /// What a window opens, or opened while it was bound.
    private @Nullable Opening opening(int index) {
        MemoryWindow window = windows[index];
        if (window == null) {
            return null;
        }
        Step.Bind bind = last[index];
        return bind == null ? null : new Opening(window.remoteKey(), bind.offset(), bind.lengthBytes(), bind.rights());
    }

    private byte[] noise() {
        byte[] noise = new byte[LONGEST_ACCESS];
        writes++;
        for (int i = 0; i < noise.length; i++) {
            noise[i] = (byte) (writes * 31 + i * 13);
        }
        return noise;
    }

    private void add(SendBatch requests, Access access, int from, int length, int key) {
        long address = region.address() + from;
        switch (access) {
            case READ -> requests.read(1, local, 0, length, address, key);
            case WRITE -> requests.write(1, local, 0, length, address, key);
            case COMPARE_AND_SWAP -> requests.compareAndSwap(1, local, 0, address, key, word(from), word(from) + writes);
            case FETCH_AND_ADD -> requests.fetchAndAdd(1, local, 0, address, key, writes);
        }
    }

    private long word(int from) {
        return inside(from) ? MemorySegment.ofArray(expected).get(ValueLayout.JAVA_LONG_UNALIGNED, MARGIN + from) : 0;
    }

    private static boolean inside(int from) {
        return from >= -MARGIN && from + Long.BYTES <= REGION_BYTES + MARGIN;
    }

    /// Does to the expected memory, and to the expected local memory, what a successful access does.
    private void apply(Access access, int from, int length, byte[] brought) {
        byte[] before = Arrays.copyOfRange(expected, MARGIN + from, MARGIN + from + length);
        switch (access) {
            case READ -> System.arraycopy(before, 0, brought, 0, length);
            case WRITE -> System.arraycopy(brought, 0, expected, MARGIN + from, length);
            case COMPARE_AND_SWAP, FETCH_AND_ADD -> {
                MemorySegment.ofArray(expected).set(ValueLayout.JAVA_LONG_UNALIGNED, MARGIN + from, word(from) + writes);
                System.arraycopy(before, 0, brought, 0, length);
            }
        }
    }

    /// Connects again; the type 2 windows of the broken queue pair are given up and bound anew.
    private void mend() {
        for (int i = 0; i < WINDOWS; i++) {
            MemoryWindow window = windows[i];
            if (window != null && window.type() != MemoryWindowType.TYPE_1) {
                window.close();
                windows[i] = null;
            }
        }
        connection.reconnect();
        for (int i = 0; i < WINDOWS; i++) {
            Step.Bind bind = bound[i];
            if (bind != null && windows[i] == null) {
                windows[i] = bed.server().window(bind.type());
                rebind(bind);
            }
        }
    }
}
