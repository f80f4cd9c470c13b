package io.leasehold.lease;

import static io.leasehold.lease.NodeFixture.MILLI;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.WorkCompletionStatus;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// Three clients that acquire, extend, relinquish, let expire, and break their queue pairs, against a table of who holds what
/// until when. A request is granted iff the table has no conflict; a key opens its range, and no byte more, iff the table says
/// so.
final class NodeGrantsProperties {
    private static final int MEMORY_BYTES = 256;
    private static final int CLIENTS = 3;

    /// A lease that the table knows of.
    private static final class Held {
        final int client;
        final Granted grant;
        final LeaseMode mode;
        final int access;
        int key;
        int units;

        Held(int client, Granted grant, LeaseMode mode, int access) {
            this.client = client;
            this.grant = grant;
            this.mode = mode;
            this.access = access;
            key = grant.key();
            units = grant.units();
        }

        long ends() {
            return Math.min(grant.beginNanos() + units * grant.unitNanos(), grant.endNanos());
        }

        boolean conflictsWith(LeaseMode other, long offset, long length) {
            return mode.conflictsWith(other) && grant.offset() < offset + length && offset < grant.offset() + grant.lengthBytes();
        }
    }

    @Property(tries = 60)
    void grantsFollowTheTable(@ForAll long seed) {
        new Scenario().run(seed, Hostility.NONE, Link.LOCAL);
    }

    @Property(tries = 10)
    void grantsFollowTheTableOnAnUnpleasantFabric(@ForAll long seed) {
        new Scenario().run(seed, Hostility.unpleasant(seed), Link.LOCAL);
    }

    @Property(tries = 5)
    void grantsFollowTheTableOverTcp(@ForAll long seed) {
        new Scenario().run(seed, Hostility.NONE, Link.TCP);
    }

    /// One run, and its table.
    private static final class Scenario {
        private final Map<Long, Held> held = new HashMap<>();
        private final List<RawClient> clients = new ArrayList<>();
        private final int[] generations = {1, 1, 1};
        private long base;
        private long now;

        private void run(long seed, Hostility hostility, Link link) {
            Random random = new Random(seed);
            try (NodeFixture fixture = new NodeFixture(link)) {
                fixture.restart(NodeFixture.OPTIONS.withDevice(NodeFixture.OPTIONS.device().withHostility(hostility)));
                for (int i = 0; i < CLIENTS; i++) {
                    clients.add(fixture.client());
                }
                base = ((Named) clients.getFirst().call(new OpenNamed("n", MEMORY_BYTES, true))).offset();
                now = clients.getFirst().welcome().nodeNanos();
                for (int step = 0; step < 80; step++) {
                    int client = random.nextInt(CLIENTS);
                    switch (random.nextInt(10)) {
                        case 0, 1, 2, 3 -> acquire(client, random);
                        case 4 -> relinquish(client);
                        case 5 -> extend(client);
                        case 6, 7 -> pass(fixture, random.nextInt(4) * MILLI);
                        case 8 -> breakAndRecover(client, random);
                        default -> touch(client, random);
                    }
                    NodeCounts counts = fixture.counts();
                    assertThat(counts.leases()).isEqualTo(held.size());
                    assertThat(counts.wordsInUse()).isEqualTo(held.size());
                    assertThat(counts.keysInUse()).isEqualTo(held.size() + CLIENTS);
                    assertThat(counts.device().boundWindows()).isEqualTo(held.size() + CLIENTS);
                }
            }
        }

        private void acquire(int client, Random random) {
            long offset = base + random.nextInt(MEMORY_BYTES / 8) * 8;
            long length = 1 + random.nextLong(Math.min(64, base + MEMORY_BYTES - offset));
            LeaseMode mode = LeaseMode.values()[random.nextInt(3)];
            int access = (1 + random.nextInt(7)) << 1;
            Reply reply = clients.get(client).call(
                    new Acquire(offset, length, access, mode, MILLI, 1 + random.nextInt(8), 10 * MILLI, 0, false));
            if (held.values().stream().anyMatch(other -> other.conflictsWith(mode, offset, length))) {
                assertThat(reply).isInstanceOf(Failed.class);
                assertThat(((Failed) reply).reason()).isEqualTo(Reason.CONFLICT);
            } else {
                assertThat(reply).isInstanceOf(Granted.class);
                Granted grant = (Granted) reply;
                assertThat(grant.beginNanos()).isEqualTo(now);
                assertThat(grant.generation()).isEqualTo(generations[client]);
                held.put(grant.lease(), new Held(client, grant, mode, access));
            }
        }

        private Held oneOf(int client) {
            return held.values().stream().filter(lease -> lease.client == client).findFirst().orElse(null);
        }

        private void relinquish(int client) {
            Held lease = oneOf(client);
            if (lease != null) {
                clients.get(client).call(new Relinquish(List.of(lease.grant.lease())));
                held.remove(lease.grant.lease());
            }
        }

        private void extend(int client) {
            Held lease = oneOf(client);
            if (lease != null) {
                assertThat(clients.get(client).extend(lease.grant, lease.units)).isTrue();
                lease.units++;
            }
        }

        /// Deadlines are whole milliseconds after an earlier moment, and each moment is a tick later than a whole millisecond
        /// after any before: so no deadline falls between what the table says and what the wheel can tell.
        private void pass(NodeFixture fixture, long nanos) {
            fixture.pass(nanos + 1024);
            now += nanos + 1024;
            held.values().removeIf(lease -> lease.ends() <= now);
        }

        private void breakAndRecover(int client, Random random) {
            RawClient raw = clients.get(client);
            Held lease = oneOf(client);
            WorkCompletionStatus status;
            if (lease == null) {
                status = raw.read(base, 1, random.nextInt());
            } else if (random.nextBoolean()) {
                status = raw.read(lease.grant.offset(), (int) lease.grant.lengthBytes() + 1, lease.key);
            } else {
                RawClient thief = clients.get((client + 1) % CLIENTS);
                status = thief.read(lease.grant.offset(), 1, lease.key);
            }
            assertThat(status).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR);
            for (int broken = 0; broken < CLIENTS; broken++) {
                recover(broken);
            }
        }

        private void recover(int client) {
            RawClient raw = clients.get(client);
            if (raw.dataPair().state() == io.leasehold.rdma.QueuePairState.ERR) {
                int next = 1 - raw.active;
                raw.connectData(next);
                List<LeaseKey> keys = raw.activate(next, ++generations[client]).keys();
                assertThat(keys).hasSize((int) held.values().stream().filter(lease -> lease.client == client).count());
                keys.forEach(key -> Objects.requireNonNull(held.get(key.lease())).key = key.key());
            }
        }

        /// A live lease opens all of its range with the rights that it has.
        private void touch(int client, Random random) {
            Held lease = oneOf(client);
            if (lease == null) {
                return;
            }
            int length = (int) lease.grant.lengthBytes();
            RawClient raw = clients.get(client);
            boolean writes = random.nextBoolean();
            WorkCompletionStatus status = writes ? raw.write(lease.grant.offset(), length, lease.key)
                    : raw.read(lease.grant.offset(), length, lease.key);
            boolean allowed = (writes ? AccessRight.WRITE : AccessRight.READ).in(lease.access);
            assertThat(status).isEqualTo(allowed ? WorkCompletionStatus.SUCCESS : WorkCompletionStatus.REM_ACCESS_ERR);
            recover(client);
        }
    }
}
