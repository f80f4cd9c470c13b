package io.leasehold.testkit;

import static io.leasehold.rdma.AccessFlag.LOCAL_WRITE;
import static io.leasehold.rdma.AccessFlag.MW_BIND;
import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.AccessFlag.REMOTE_READ;
import static io.leasehold.rdma.AccessFlag.REMOTE_WRITE;
import static io.leasehold.rdma.MemoryWindowType.TYPE_1;
import static io.leasehold.rdma.MemoryWindowType.TYPE_2B;
import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// What a window opens, to whom, and for how long; and when it can be bound.
public interface MemoryWindowContract extends FabricContract {
    /// Most windows that a test allocates to see the limit.
    int LIMIT_TRIED_MAX = 1 << 17;

    private Set<MemoryWindowType> types(Testbed bed) {
        Set<MemoryWindowType> types = EnumSet.copyOf(bed.server().device().attributes().windowTypes());
        assertThat(types).as("a provider without windows cannot protect").contains(TYPE_2B);
        return types;
    }

    @Test
    default void anUnboundWindowOpensNothing() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            for (MemoryWindowType type : types(bed)) {
                MemoryWindow window = bed.server().window(type);
                assertThat(window.type()).isEqualTo(type);
                refused(bed.connect(), bed, region.address(), 8, window.remoteKey());
            }
            assertThat(bed.server().device().resources().windows()).isEqualTo(types(bed).size());
            assertThat(bed.server().device().resources().boundWindows()).isZero();
        }
    }

    /// Asserts that neither READ nor WRITE gets through, and mends the connection.
    private static void refused(Connection connection, Testbed bed, long address, int lengthBytes, int key) {
        MemoryRegion local = bed.client().region(Math.max(64, lengthBytes), Host.EVERYTHING);
        assertThat(connection.client().read(local, 0, lengthBytes, address, key).status())
                .as("READ of %s bytes", lengthBytes).isEqualTo(REM_ACCESS_ERR);
        assertThat(local.memory().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        connection.reconnect();
        local.memory().fill((byte) 99);
        assertThat(connection.client().write(local, 0, lengthBytes, address, key).status())
                .as("WRITE of %s bytes", lengthBytes).isEqualTo(REM_ACCESS_ERR);
        connection.reconnect();
        local.close();
    }

    private static void allowed(Connection connection, Testbed bed, long address, int lengthBytes, int key) {
        MemoryRegion local = bed.client().region(Math.max(64, lengthBytes), Host.EVERYTHING);
        assertThat(connection.client().read(local, 0, lengthBytes, address, key).status()).isEqualTo(SUCCESS);
        assertThat(connection.client().write(local, 0, lengthBytes, address, key).status()).isEqualTo(SUCCESS);
        local.close();
    }

    @Test
    default void aWindowIsOpenToItsLastByteAndNotOneFurther() {
        try (Testbed bed = testbed()) {
            boolean unchecked = quirks().contains(Quirk.WINDOW_BOUNDS_UNCHECKED);
            assertThat(bed.server().device().attributes().windowBoundsEnforced()).as("what the device says of itself")
                    .isEqualTo(!unchecked);
            if (unchecked) {
                return;
            }
            MemoryRegion region = bed.server().region(4096, Host.EVERYTHING);
            region.memory().fill((byte) 5);
            for (MemoryWindowType type : types(bed)) {
                for (int length : new int[] {1, 8, 777}) {
                    long[][] inside = {{0, length}, {0, 1}, {length - 1, 1}};
                    Connection connection = bed.connect();
                    BoundWindow window = connection.server().bind(type, region, 1001, length, REMOTE_READ, REMOTE_WRITE);
                    for (long[] range : inside) {
                        allowed(connection, bed, window.address() + range[0], (int) range[1], window.key());
                    }
                    byte[] before = region.memory().toArray(ValueLayout.JAVA_BYTE);
                    long[][] outside = {{-1, 1}, {-1, 2}, {-1, length + 2}, {length, 1}, {length - 1, 2}, {0, length + 1},
                        {-1001, 8}};
                    for (long[] range : outside) {
                        Connection fresh = bed.connect();
                        BoundWindow other = fresh.server().bind(type, region, 1001, length, REMOTE_READ, REMOTE_WRITE);
                        refusedOnce(fresh, bed, other.address() + range[0], (int) range[1], other.key());
                        fresh.client().close();
                    }
                    assertThat(region.memory().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
                }
            }
        }
    }

    /// Asserts that a WRITE does not get through; the connection is broken afterwards.
    private static void refusedOnce(Connection connection, Testbed bed, long address, int lengthBytes, int key) {
        MemoryRegion local = bed.client().region(Math.max(64, lengthBytes), Host.EVERYTHING);
        local.memory().fill((byte) 99);
        assertThat(connection.client().write(local, 0, lengthBytes, address, key).status())
                .as("WRITE of %s bytes", lengthBytes).isEqualTo(REM_ACCESS_ERR);
        local.close();
    }

    @Test
    default void aWindowGivesTheRightsThatItIsBoundWith() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, LOCAL_WRITE, MW_BIND);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            List<Set<AccessFlag>> rights = List.of(Set.of(REMOTE_READ), Set.of(REMOTE_WRITE), Set.of(REMOTE_ATOMIC),
                    Set.of(REMOTE_READ, REMOTE_WRITE), Set.of(REMOTE_READ, REMOTE_WRITE, REMOTE_ATOMIC));
            for (MemoryWindowType type : types(bed)) {
                for (Set<AccessFlag> access : rights) {
                    for (Access attempt : Access.values()) {
                        Connection connection = bed.connect();
                        BoundWindow window = connection.server().bind(type, region, 8, 8, access.toArray(AccessFlag[]::new));
                        attempt.check(connection.client(), local, region.memory().asSlice(8), window.address(), window.key(),
                                access);
                        connection.client().close();
                    }
                }
            }
        }
    }

    @Test
    default void theConsumerChoosesTheVariantOfAType2Key() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            MemoryWindow window = bed.server().window(TYPE_2B);
            for (int variant : new int[] {0, 255, 7, 8}) {
                int key = window.remoteKey() & ~RemoteKey.VARIANT_MASK | variant;
                assertThat(bindTo(connection.server(), window, key, region)).isEqualTo(SUCCESS);
                assertThat(window.remoteKey()).isEqualTo(key);
                allowed(connection, bed, region.address(), 8, key);
                assertThat(connection.server().invalidate(key).succeeded()).isTrue();
            }
        }
    }

    private static WorkCompletionStatus bindTo(Endpoint endpoint, MemoryWindow window, int key,
            MemoryRegion region) {
        return endpoint.run(requests -> requests.bindMemoryWindow(1, window, key, region, region.address(), region.lengthBytes(),
                AccessFlag.mask(REMOTE_READ, REMOTE_WRITE, REMOTE_ATOMIC))).status();
    }

    @Test
    default void aStaleKeyIsRefused() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection connection = bed.connect();
            BoundWindow first = connection.server().bind(TYPE_2B, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            assertThat(connection.server().invalidate(first.key()).succeeded()).isTrue();
            BoundWindow second = connection.server().bind(first.window(), region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            assertThat(second.key()).isNotEqualTo(first.key());
            allowed(connection, bed, region.address(), 8, second.key());
            refusedOnce(connection, bed, region.address(), 8, first.key());
            assertThat(region.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
        }
    }

    @Test
    default void aType1WindowChangesItsKeyAtEachBind() {
        try (Testbed bed = testbed()) {
            if (!types(bed).contains(TYPE_1)) {
                return;
            }
            Connection connection = bed.connect();
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            BoundWindow first = connection.server().bind(TYPE_1, region, 0, 32, REMOTE_READ, REMOTE_WRITE);
            allowed(connection, bed, region.address(), 32, first.key());
            BoundWindow second = connection.server().bind(first.window(), region, 32, 32, REMOTE_READ, REMOTE_WRITE);
            assertThat(second.key()).isNotEqualTo(first.key());
            allowed(connection, bed, region.address() + 32, 32, second.key());
            if (!quirks().contains(Quirk.WINDOW_BOUNDS_UNCHECKED)) {
                refused(connection, bed, region.address(), 8, second.key());
            }
            refused(connection, bed, region.address(), 8, first.key());
            refused(connection, bed, region.address() + 32, 8, first.key());
        }
    }

    @Test
    default void aType1WindowAnswersOnEveryQueuePairOfItsDomain() {
        try (Testbed bed = testbed()) {
            if (!types(bed).contains(TYPE_1)) {
                return;
            }
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            BoundWindow window = bed.connect().server().bind(TYPE_1, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            allowed(bed.connect(), bed, region.address(), 8, window.key());
            Connection stranger = new Connection(bed.client().endpoint(),
                    bed.server().endpoint(bed.server().anotherDomain(), options -> options));
            stranger.client().connect(stranger.server());
            refused(stranger, bed, region.address(), 8, window.key());
        }
    }

    @Test
    default void aType2WindowAnswersOnItsQueuePairOnly() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection holder = bed.connect();
            BoundWindow window = holder.server().bind(TYPE_2B, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            refused(bed.connect(), bed, region.address(), 8, window.key());
            Connection stranger = new Connection(bed.client().endpoint(),
                    bed.server().endpoint(bed.server().anotherDomain(), options -> options));
            stranger.client().connect(stranger.server());
            refused(stranger, bed, region.address(), 8, window.key());
            assertThat(region.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
            allowed(holder, bed, region.address(), 8, window.key());
        }
    }

    @Test
    default void anInvalidatedWindowOpensNothing() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection connection = bed.connect();
            BoundWindow window = connection.server().bind(TYPE_2B, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            assertThat(bed.server().device().resources().boundWindows()).isEqualTo(1);
            allowed(connection, bed, region.address(), 64, window.key());
            assertThat(connection.server().invalidate(window.key()).succeeded()).isTrue();
            assertThat(bed.server().device().resources().boundWindows()).isZero();
            refusedOnce(connection, bed, region.address(), 8, window.key());
            assertThat(region.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
        }
    }

    @Test
    default void aClosedWindowOpensNothing() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            for (MemoryWindowType type : types(bed)) {
                Connection connection = bed.connect();
                BoundWindow window = connection.server().bind(type, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
                window.window().close();
                window.window().close();
                refusedOnce(connection, bed, region.address(), 8, window.key());
                assertThat(bed.server().device().resources().windows()).isZero();
            }
            assertThat(region.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
        }
    }

    @Test
    default void aWindowInvalidatedByThePeerOpensNothing() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion inbox = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion outbox = bed.client().region(64, Host.EVERYTHING);
            Connection connection = bed.connect();
            BoundWindow window = connection.server().bind(TYPE_2B, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            connection.server().receive(1, inbox, 0, 64);
            assertThat(connection.client().sendWithInvalidate(outbox, 0, 8, window.key()).succeeded()).isTrue();
            Completed received = connection.server().await();
            assertThat(received.succeeded()).isTrue();
            assertThat(received.invalidatedKey()).hasValue(window.key());
            refusedOnce(connection, bed, region.address(), 8, window.key());
            assertThat(region.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
        }
    }

    @Test
    default void aPeerCannotInvalidateTheWindowOfAnother() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion inbox = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion outbox = bed.client().region(64, Host.EVERYTHING);
            Connection holder = bed.connect();
            BoundWindow window = holder.server().bind(TYPE_2B, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            Connection stranger = bed.connect();
            stranger.server().receive(1, inbox, 0, 64);
            boolean invalidated = stranger.client().sendWithInvalidate(outbox, 0, 8, window.key()).succeeded();
            if (invalidated && quirks().contains(Quirk.INVALIDATION_OF_ANOTHERS_WINDOW)) {
                // It has taken the window away, and opened nothing.
                refusedOnce(holder, bed, region.address(), 8, window.key());
                return;
            }
            assertThat(invalidated).isFalse();
            allowed(holder, bed, region.address(), 8, window.key());
        }
    }

    @Test
    default void anInvalidationThatNamesNoWindowOfTheQueuePairFails() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection holder = bed.connect();
            BoundWindow window = holder.server().bind(TYPE_2B, region, 0, 64, REMOTE_READ, REMOTE_WRITE);
            Connection stranger = bed.connect();
            assertThat(stranger.server().invalidate(window.key()).succeeded()).as("bound to another").isFalse();
            assertThat(stranger.server().queuePair().state()).isEqualTo(QueuePairState.ERR);
            Connection another = bed.connect();
            assertThat(another.server().invalidate(region.remoteKey()).succeeded()).as("a region").isFalse();
            allowed(holder, bed, region.address(), 8, window.key());
            assertThat(holder.server().invalidate(new RemoteKey(window.key()).next().value()).succeeded()).as("a wrong variant")
                    .isFalse();
        }
    }

    @Test
    default void aType2WindowIsInvalidatedBeforeItIsBoundAgain() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection connection = bed.connect();
            BoundWindow window = connection.server().bind(TYPE_2B, region, 0, 8, REMOTE_READ, REMOTE_WRITE);
            int next = new RemoteKey(window.key()).next().value();
            notBound(connection, window.window(), next, region, region.address(), 64, REMOTE_READ);
            Connection other = bed.connect();
            refusedOnce(other, bed, region.address(), 8, next);
            assertThat(window.window().remoteKey()).isEqualTo(window.key());
        }
    }

    /// Asserts that a bind fails, at once or later.
    private static void notBound(Connection connection, MemoryWindow window, int key, MemoryRegion region, long address,
            long lengthBytes, AccessFlag... access) {
        Endpoint server = connection.server();
        PostStatus status = server.tryPost(
                requests -> requests.bindMemoryWindow(1, window, key, region, address, lengthBytes, AccessFlag.mask(access)));
        if (status == PostStatus.POSTED) {
            assertThat(server.await().succeeded()).isFalse();
            assertThat(server.queuePair().state()).isEqualTo(QueuePairState.ERR);
        } else {
            assertThat(status).isEqualTo(PostStatus.INVALID_REQUEST);
            assertThat(server.queuePair().state()).isEqualTo(QueuePairState.RTS);
        }
    }

    @Test
    default void whatCannotBeBoundIsNot() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(4096, Host.EVERYTHING);
            MemoryRegion unbindable = bed.server().region(64, LOCAL_WRITE, REMOTE_READ, REMOTE_WRITE);
            MemoryRegion readOnly = bed.server().region(64, REMOTE_READ, MW_BIND);
            ProtectionDomain otherDomain = bed.server().anotherDomain();
            MemoryRegion others = bed.server().region(otherDomain, 64, Host.EVERYTHING);
            MemoryWindow window = bed.server().window(TYPE_2B);
            int key = new RemoteKey(window.remoteKey()).next().value();
            long address = region.address();
            notBound(bed.connect(), window, key, unbindable, unbindable.address(), 8, REMOTE_READ);
            notBound(bed.connect(), window, key, readOnly, readOnly.address(), 8, REMOTE_WRITE);
            notBound(bed.connect(), window, key, readOnly, readOnly.address(), 8, REMOTE_ATOMIC);
            notBound(bed.connect(), window, key, others, others.address(), 8, REMOTE_READ);
            notBound(bed.connect(), window, key, region, address - 1, 8, REMOTE_READ);
            notBound(bed.connect(), window, key, region, address + 4089, 8, REMOTE_READ);
            notBound(bed.connect(), window, key, region, address, 4097, REMOTE_READ);
            notBound(bed.connect(), window, key, region, address, -1, REMOTE_READ);
            notBound(bed.connect(), window, key, region, address + 8, Long.MAX_VALUE, REMOTE_READ);
            notBound(bed.connect(), window, key ^ 1 << 8, region, address, 8, REMOTE_READ);
            assertThat(bed.server().device().resources().boundWindows()).isZero();
            assertThat(bindTo(bed.connect().server(), window, key, region)).isEqualTo(SUCCESS);
        }
    }

    @Test
    default void aRegionStaysWhileAWindowIsBoundToIt() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection connection = bed.connect();
            BoundWindow window = connection.server().bind(TYPE_2B, region, 0, 64, REMOTE_READ);
            assertThatExceptionOfType(RdmaException.class).isThrownBy(region::close)
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.BUSY));
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            assertThat(connection.client().read(local, 0, 8, region.address(), window.key()).succeeded()).isTrue();
            connection.server().invalidate(window.key());
            region.close();
        }
    }

    @Test
    default void bindsAndInvalidationsOfABatchAreCarriedOutInOrder() {
        try (Testbed bed = testbed()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection connection = bed.connect();
            MemoryWindow window = bed.server().window(TYPE_2B);
            RemoteKey first = new RemoteKey(window.remoteKey()).next();
            RemoteKey second = first.next();
            connection.server().post(requests -> requests
                    .bindMemoryWindow(1, window, first.value(), region, region.address(), 64, REMOTE_READ.bit()).unsignalled()
                    .localInvalidate(2, first.value()).unsignalled()
                    .bindMemoryWindow(3, window, second.value(), region, region.address(), 32,
                            AccessFlag.mask(REMOTE_READ, REMOTE_WRITE)));
            assertThat(connection.server().await().id()).isEqualTo(3);
            assertThat(window.remoteKey()).isEqualTo(second.value());
            allowed(connection, bed, region.address(), 32, second.value());
            if (!quirks().contains(Quirk.WINDOW_BOUNDS_UNCHECKED)) {
                refusedOnce(connection, bed, region.address(), 33, second.value());
            }
            refusedOnce(bed.connect(), bed, region.address(), 8, first.value());
        }
    }

    @Test
    default void windowsAreLimitedAndComeBack() {
        try (Testbed bed = testbed()) {
            int most = bed.server().device().attributes().maxWindows();
            if (most > LIMIT_TRIED_MAX) {
                return;
            }
            ProtectionDomain domain = bed.server().domain();
            List<MemoryWindow> windows = new ArrayList<>();
            for (int i = 0; i < most; i++) {
                windows.add(domain.allocateMemoryWindow(TYPE_2B));
            }
            assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> domain.allocateMemoryWindow(TYPE_2B))
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.OUT_OF_RESOURCES))
                    .withMessageContaining(Integer.toString(most));
            windows.removeLast().close();
            windows.add(domain.allocateMemoryWindow(TYPE_2B));
            assertThat(windows).extracting(window -> new RemoteKey(window.remoteKey()).index()).doesNotHaveDuplicates();
            windows.forEach(MemoryWindow::close);
            assertThat(bed.server().device().resources().windows()).isZero();
        }
    }
}
