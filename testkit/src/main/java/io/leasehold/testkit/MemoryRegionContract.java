package io.leasehold.testkit;

import static io.leasehold.rdma.AccessFlag.LOCAL_WRITE;
import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.AccessFlag.REMOTE_READ;
import static io.leasehold.rdma.AccessFlag.REMOTE_WRITE;
import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// What a region's key opens: its memory to the byte, with its rights, to queue pairs of its domain, until it is closed.
public interface MemoryRegionContract extends FabricContract {
    @Test
    default void aRegionKnowsItsMemory() {
        try (Testbed bed = testbed()) {
            MemorySegment memory = bed.server().memory(100);
            MemoryRegion region = bed.server()
                    .closing(bed.server().domain().register(memory, EnumSet.of(LOCAL_WRITE, REMOTE_READ)));
            assertThat(region.lengthBytes()).isEqualTo(100);
            assertThat(region.memory().address()).isEqualTo(memory.address());
            assertThat(region.access()).containsExactlyInAnyOrder(LOCAL_WRITE, REMOTE_READ);
            assertThat(bed.server().device().resources().regions()).isEqualTo(1);
        }
    }

    @Test
    default void onlyNativeMemoryCanBeRegistered() {
        try (Testbed bed = testbed()) {
            ProtectionDomain domain = bed.server().domain();
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> domain.register(MemorySegment.ofArray(new byte[64]), Set.of(LOCAL_WRITE)));
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> domain.register(bed.server().memory(64).asSlice(0, 0), Set.of(LOCAL_WRITE)));
            assertThat(bed.server().device().resources().regions()).isZero();
        }
    }

    @Test
    default void remoteWritesNeedLocalOnes() {
        try (Testbed bed = testbed()) {
            for (AccessFlag right : List.of(REMOTE_WRITE, REMOTE_ATOMIC)) {
                assertThatExceptionOfType(RdmaException.class)
                        .isThrownBy(() -> bed.server().domain().register(bed.server().memory(64), Set.of(right)));
            }
        }
    }

    @Test
    default void aRegionIsOpenToItsLastByteAndNotOneFurther() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemorySegment memory = bed.server().memory(4096);
            memory.fill((byte) 5);
            // The region is the middle of what is mapped, so that nothing but the check stands in the way.
            MemoryRegion region = bed.server()
                    .closing(bed.server().domain().register(memory.asSlice(1001, 999), EnumSet.allOf(AccessFlag.class)));
            MemoryRegion local = bed.client().region(4096, Host.EVERYTHING);
            long first = region.address();
            long end = first + 999;
            assertThat(connection.client().write(local, 0, 999, first, region.remoteKey()).succeeded()).isTrue();
            assertThat(connection.client().write(local, 0, 1, end - 1, region.remoteKey()).succeeded()).isTrue();
            byte[] before = memory.toArray(ValueLayout.JAVA_BYTE);
            long[][] outside = {{first - 1, 1}, {first - 1, 2}, {first - 1, 1001}, {end, 1}, {end - 1, 2}, {first, 1000},
                {first + 2048, 8}, {0, 8}, {-8, 8}, {-8, 16}, {Long.MIN_VALUE, 8}, {Long.MAX_VALUE - 3, 8}};
            for (long[] range : outside) {
                refused(connection, local, range[0], (int) range[1], region.remoteKey());
            }
            assertThat(memory.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
        }
    }

    private static void refused(Connection connection, MemoryRegion local, long address, int lengthBytes, int key) {
        byte[] before = local.memory().toArray(ValueLayout.JAVA_BYTE);
        assertThat(connection.client().read(local, 0, lengthBytes, address, key).status())
                .as("READ of %s bytes at 0x%x", lengthBytes, address).isEqualTo(REM_ACCESS_ERR);
        assertThat(local.memory().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
        connection.reconnect();
        assertThat(connection.client().write(local, 0, lengthBytes, address, key).status())
                .as("WRITE of %s bytes at 0x%x", lengthBytes, address).isEqualTo(REM_ACCESS_ERR);
        connection.reconnect();
    }

    @Test
    default void aRegionGivesTheRightsThatItHas() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            List<Set<AccessFlag>> rights = List.of(Set.of(LOCAL_WRITE), Set.of(REMOTE_READ), Set.of(LOCAL_WRITE, REMOTE_WRITE),
                    Set.of(LOCAL_WRITE, REMOTE_ATOMIC), Set.of(LOCAL_WRITE, REMOTE_READ, REMOTE_WRITE),
                    Set.of(LOCAL_WRITE, REMOTE_READ, REMOTE_WRITE, REMOTE_ATOMIC));
            for (Set<AccessFlag> access : rights) {
                MemoryRegion region = bed.server().region(64, access.toArray(AccessFlag[]::new));
                for (Access attempt : Access.values()) {
                    attempt.check(connection.client(), local, region.memory(), region.address(), region.remoteKey(), access);
                    connection.reconnect();
                }
            }
        }
    }

    @Test
    default void aKeyOpensOneRegion() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion one = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion two = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            assertThat(one.remoteKey()).isNotEqualTo(two.remoteKey());
            refused(connection, local, one.address(), 8, two.remoteKey());
            for (int bit = 0; bit < 32; bit++) {
                int key = one.remoteKey() ^ 1 << bit;
                refused(connection, local, one.address(), 8, key);
            }
            assertThat(connection.client().read(local, 0, 8, one.address(), one.remoteKey()).succeeded()).isTrue();
        }
    }

    @Test
    default void theKeyOfAClosedRegionOpensNothing() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            MemorySegment memory = bed.server().memory(64);
            MemoryRegion first = bed.server().domain().register(memory, EnumSet.allOf(AccessFlag.class));
            assertThat(connection.client().read(local, 0, 8, first.address(), first.remoteKey()).succeeded()).isTrue();
            first.close();
            refused(connection, local, first.address(), 8, first.remoteKey());
            MemoryRegion second = bed.server().closing(bed.server().domain().register(memory, EnumSet.allOf(AccessFlag.class)));
            refused(connection, local, first.address(), 8, first.remoteKey());
            assertThat(connection.client().read(local, 0, 8, second.address(), second.remoteKey()).succeeded()).isTrue();
        }
    }

    @Test
    default void aKeyOpensNothingThroughAQueuePairOfAnotherDomain() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            ProtectionDomain other = bed.server().anotherDomain();
            MemoryRegion region = bed.server().region(other, 64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            refused(connection, local, region.address(), 8, region.remoteKey());
            Connection inside = new Connection(bed.client().endpoint(), bed.server().endpoint(other, options -> options));
            inside.client().connect(inside.server());
            assertThat(inside.client().write(local, 0, 8, region.address(), region.remoteKey()).status())
                    .isEqualTo(WorkCompletionStatus.SUCCESS);
        }
    }
}
