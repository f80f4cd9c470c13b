package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.testkit.MutantDevice;
import io.leasehold.testkit.WindowObserver;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;

/// P11: two consecutive binds of one window never carry the same key, nor do two consecutive regions with one index; a stale key is
/// refused.
///
/// Two clients acquire, relinquish and recover. An observer sees what the device is really told and keeps the last key of each
/// window or region, which is known by the index in its keys. Stale keys are tried on the very queue pair and range that they were good
/// for.
final class FreshKeys implements LeaseProperty<List<FreshKeys.Step>> {
    private static final int CLIENTS = 2;
    private static final int SLOTS = 3;
    private static final int BYTES = 64;
    private static final int STALE_MAX = 32;
    /// After so many binds of a window, or regions with one index, a key comes round again: there are only 256 variants.
    private static final int ROUND = 250;

    private final LeaseCluster cluster;
    private final List<BareClient> clients = new ArrayList<>();
    private final long arena;
    private final Ledger ledger = new Ledger();

    /// The last bind of a window, or the last region with an index.
    private record Bind(int key, int count) {
    }

    /// A key that a client had.
    private record Stale(int key, int count) {
    }

    /// Something to try.
    sealed interface Step {
        /// Acquires a lease in `slot`, which relinquishes one that was there.
        record Acquire(int client, int slot) implements Step {
        }

        /// Relinquishes the lease in `slot`.
        record Relinquish(int client, int slot) implements Step {
        }

        /// Uses a stale key; the client recovers from the refusal.
        record UseStale(int client, int which) implements Step {
        }
    }

    /// Sequences of steps.
    static final class Steps implements ArbitrarySupplier<List<Step>> {
        @Override
        public Arbitrary<List<Step>> get() {
            Arbitrary<Integer> who = Arbitraries.integers().between(0, CLIENTS - 1);
            Arbitrary<Integer> slots = Arbitraries.integers().between(0, SLOTS - 1);
            Arbitrary<Step> acquire = Combinators.combine(who, slots).as(Step.Acquire::new);
            Arbitrary<Step> relinquish = Combinators.combine(who, slots).as(Step.Relinquish::new);
            Arbitrary<Step> stale = Combinators.combine(who, Arbitraries.integers().between(0, STALE_MAX)).as(Step.UseStale::new);
            return Arbitraries.frequencyOf(Tuple.of(5, acquire), Tuple.of(3, relinquish), Tuple.of(2, stale)).list().ofMinSize(2)
                    .ofMaxSize(14);
        }
    }

    /// What one client holds, and held.
    private static final class Holdings {
        private final Map<Integer, Granted> live = new HashMap<>();
        private final List<Stale> stale = new ArrayList<>();
    }

    FreshKeys(Setting setting) {
        cluster = LeaseCluster.start(setting.withNodeDevice(device -> setting.nodeDevice().apply(ledger.around(device))));
        long opened = 0;
        for (int i = 0; i < CLIENTS; i++) {
            BareClient client = cluster.bareClient();
            opened = client.openNamed("arena", BYTES);
            clients.add(client);
        }
        arena = opened;
    }

    @Override
    public void check(List<Step> steps) {
        List<Holdings> holdings = List.of(new Holdings(), new Holdings());
        try {
            for (Step step : steps) {
                switch (step) {
                    case Step.Acquire(int client, int slot) -> acquire(clients.get(client), holdings.get(client), slot);
                    case Step.Relinquish(int client, int slot) -> relinquish(clients.get(client), holdings.get(client), slot);
                    case Step.UseStale(int client, int which) -> useStale(clients.get(client), holdings.get(client), which);
                }
                assertThat(ledger.repeated()).as("keys that were given twice in a row").isEmpty();
            }
        } finally {
            for (int client = 0; client < CLIENTS; client++) {
                for (int slot = 0; slot < SLOTS; slot++) {
                    relinquish(clients.get(client), holdings.get(client), slot);
                }
            }
        }
    }

    private void acquire(BareClient client, Holdings holdings, int slot) {
        relinquish(client, holdings, slot);
        Granted lease = client.acquire(arena, BYTES, Set.of(AccessRight.READ), LeaseMode.SHARED, LeaseCluster.FOR_EVER);
        holdings.live.put(slot, lease);
    }

    private void relinquish(BareClient client, Holdings holdings, int slot) {
        Granted lease = holdings.live.remove(slot);
        if (lease != null) {
            retire(holdings, client.key(lease));
            client.relinquish(lease);
        }
    }

    private void useStale(BareClient client, Holdings holdings, int which) {
        if (holdings.stale.isEmpty()) {
            return;
        }
        Stale stale = holdings.stale.get(which % holdings.stale.size());
        Bind now = ledger.last(stale.key);
        if (now.count - stale.count < ROUND) {
            assertThat(client.read(client.address(arena), stale.key, BYTES)).as("stale key %s, while its window or region has %s",
                    new RemoteKey(stale.key), new RemoteKey(now.key)).isEqualTo(REM_ACCESS_ERR);
            client.keys().forEach(key -> retire(holdings, key));
            client.recover();
        }
    }

    private void retire(Holdings holdings, int key) {
        holdings.stale.addFirst(new Stale(key, ledger.last(key).count));
        if (holdings.stale.size() > STALE_MAX) {
            holdings.stale.removeLast();
        }
    }

    @Override
    public void close() {
        cluster.close();
    }

    /// The last key of each window; written by the node's control thread, read by the test.
    private static final class Ledger implements WindowObserver {
        private final Map<Integer, Bind> last = new ConcurrentHashMap<>();
        private final Queue<Integer> repeated = new ConcurrentLinkedQueue<>();

        RdmaDevice around(RdmaDevice device) {
            MutantDevice observed = MutantDevice.of(device);
            observed.observe(this);
            return observed;
        }

        @Override
        public void bound(int key, long address, long lengthBytes, int access, int queuePair) {
            given(key);
        }

        @Override
        public void registered(int key, long address, long lengthBytes, int access) {
            given(key);
        }

        private void given(int key) {
            last.compute(new RemoteKey(key).index(), (_, before) -> {
                if (before != null && before.key == key) {
                    repeated.add(key);
                }
                return new Bind(key, before == null ? 1 : before.count + 1);
            });
        }

        /// The last bind of the window, or the last region, that `key` belongs to.
        Bind last(int key) {
            return Objects.requireNonNull(last.get(new RemoteKey(key).index()), "a key of what was never bound or registered");
        }

        Queue<Integer> repeated() {
            return repeated;
        }
    }
}
