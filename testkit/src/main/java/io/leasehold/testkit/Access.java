package io.leasehold.testkit;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;

/// The kinds of one-sided access to 8 bytes.
///
/// Each brings the first word of a local region along, or takes its result to the second.
public enum Access {
    /// RDMA READ.
    READ(AccessFlag.REMOTE_READ),
    /// RDMA WRITE.
    WRITE(AccessFlag.REMOTE_WRITE),
    /// Compare-and-swap of [#BEFORE] by [#BROUGHT].
    COMPARE_AND_SWAP(AccessFlag.REMOTE_ATOMIC),
    /// Addition of [#BROUGHT].
    FETCH_AND_ADD(AccessFlag.REMOTE_ATOMIC);

    /// What the remote word holds before.
    public static final long BEFORE = 40;

    /// What an access brings along.
    public static final long BROUGHT = 2;

    private static final long NO_RESULT = 3;

    private final AccessFlag needs;

    Access(AccessFlag needs) {
        this.needs = needs;
    }

    /// The right that it needs.
    public AccessFlag needs() {
        return needs;
    }

    /// Carries it out.
    public Completed on(Endpoint client, MemoryRegion local, long address, int key) {
        return switch (this) {
            case READ -> client.read(local, 8, 8, address, key);
            case WRITE -> client.write(local, 0, 8, address, key);
            case COMPARE_AND_SWAP -> client.compareAndSwap(local, 8, address, key, BEFORE, BROUGHT);
            case FETCH_AND_ADD -> client.fetchAndAdd(local, 8, address, key, BROUGHT);
        };
    }

    /// Carries it out and asserts that it has its effect if `rights` allow it, and none at all if they do not.
    ///
    /// @param memory the remote word, as its owner sees it
    void check(Endpoint client, MemoryRegion local, MemorySegment memory, long address, int key, Set<AccessFlag> rights) {
        boolean allowed = rights.contains(needs);
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, BEFORE);
        local.memory().set(ValueLayout.JAVA_LONG, 0, BROUGHT);
        local.memory().set(ValueLayout.JAVA_LONG, 8, NO_RESULT);
        assertThat(on(client, local, address, key).status()).as("%s with %s", this, rights)
                .isEqualTo(allowed ? SUCCESS : REM_ACCESS_ERR);
        assertThat(memory.get(ValueLayout.JAVA_LONG_UNALIGNED, 0)).as("remote word after %s with %s", this, rights)
                .isEqualTo(allowed ? after() : BEFORE);
        assertThat(local.memory().get(ValueLayout.JAVA_LONG, 8)).as("result of %s with %s", this, rights)
                .isEqualTo(allowed && this != WRITE ? BEFORE : NO_RESULT);
    }

    /// What the remote word holds afterwards.
    private long after() {
        return switch (this) {
            case READ -> BEFORE;
            case WRITE, COMPARE_AND_SWAP -> BROUGHT;
            case FETCH_AND_ADD -> BEFORE + BROUGHT;
        };
    }
}
